package v1alpha1

// NATSBus is a NATS that the operator runs, or one that runs elsewhere.
//
// +kubebuilder:validation:XValidation:rule="has(self.managed) != has(self.external)",message="bus.nats needs exactly one of managed (managed: {} is enough: the operator runs NATS) and external (urls of yours)"
// +kubebuilder:validation:XValidation:rule="has(self.managed) == has(oldSelf.managed)",message="bus.nats cannot change between managed and external, since hubs on the old and the new one would not hear each other during the update: create a second GoHubCluster, move the clients, and delete this one"
type NATSBus struct {
	// Managed is a NATS that the operator runs for this cluster alone.
	// +optional
	Managed *ManagedNATS `json:"managed,omitempty"`

	// External is a NATS that runs elsewhere.
	// +optional
	External *ExternalNATS `json:"external,omitempty"`
}

// ManagedNATS is a NATS that the operator runs: a StatefulSet with generated
// credentials.
//
// +kubebuilder:validation:XValidation:rule="has(self.jetStream) == has(oldSelf.jetStream)",message="bus.nats.managed.jetStream cannot be added or removed, since hubs with and without it would disagree on histories during the update: create a second GoHubCluster with it, move the clients, and delete this one"
// +kubebuilder:validation:XValidation:rule="!has(self.jetStream) || self.replicas == oldSelf.replicas",message="bus.nats.managed.replicas cannot be changed with jetStream, since its streams have that many copies: create a second GoHubCluster with the number wanted, move the clients, and delete this one"
type ManagedNATS struct {
	// Replicas is the number of servers: 1, which a node's failure takes away
	// until its pod is started again, or 3, of which one may fail. Default 3. It
	// cannot be changed with jetStream.
	// +optional
	// +kubebuilder:default=3
	// +kubebuilder:validation:Enum=1;3
	Replicas int32 `json:"replicas,omitempty"`

	// JetStream keeps the histories of rooms on disk, one copy on each server.
	// Default off: then no room may have a history. It cannot be added or
	// removed later.
	// +optional
	JetStream *ManagedJetStream `json:"jetStream,omitempty"`

	// Retain keeps the volumes and the generated Secrets when the GoHubCluster
	// is deleted; a new one of the same name takes them up. Default false: they
	// are deleted with it.
	// +optional
	Retain bool `json:"retain,omitempty"`

	// Image is the NATS server's image. Empty is the one the operator was
	// started with.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Image string `json:"image,omitempty"`

	// Pod is the common settings of the servers' pods.
	// +optional
	Pod Pod `json:"pod,omitzero"`
}

// ManagedJetStream is JetStream on a NATS that the operator runs.
type ManagedJetStream struct {
	// Storage is the volume of each server.
	// +optional
	// +kubebuilder:default={}
	Storage Storage `json:"storage,omitzero"`
}

// ExternalNATS says how to reach a NATS that runs elsewhere.
//
// +kubebuilder:validation:XValidation:rule="has(self.jetStream) == has(oldSelf.jetStream)",message="bus.nats.external.jetStream cannot be added or removed, since hubs with and without it would disagree on histories during the update: create a second GoHubCluster with it, move the clients, and delete this one"
// +kubebuilder:validation:XValidation:rule="has(self.prefix) == has(oldSelf.prefix) && (!has(self.prefix) || self.prefix == oldSelf.prefix)",message="bus.nats.external.prefix cannot be changed, since hubs with different prefixes do not hear each other: create a second GoHubCluster with the new prefix, move the clients, and delete this one"
type ExternalNATS struct {
	// URLs are the servers to try, each as nats://host:port, tls://host:port,
	// ws://host:port, wss://host:port or host:port. 1 to 16. Credentials belong
	// in secretRef.
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.all(u, !u.contains('@'))",message="urls must not hold credentials: put them into the Secret of secretRef"
	// +kubebuilder:validation:XValidation:rule="self.all(u, u.matches('^((nats|tls|ws|wss)://)?[^/@?#\\\\s:]+:[0-9]{1,5}$') || u.contains('@'))",message="each of urls must be host:port, or nats://, tls://, ws:// or wss:// and host:port"
	URLs []string `json:"urls"`

	// SecretRef names a Secret with one way to sign in, by its keys: "username"
	// and "password", or "token", or "creds" (a .creds file), or "nkey" (the
	// file of a seed). Default none. A change of the data rolls the hubs.
	// +optional
	SecretRef *LocalRef `json:"secretRef,omitempty"`

	// TLS sets how the servers are verified and the hubs identified. Default:
	// only what tls:// and wss:// ask for.
	// +optional
	TLS *ClientTLS `json:"tls,omitempty"`

	// JetStream has the servers keep the histories of rooms. Default off: then
	// no room may have a history. It cannot be added or removed later.
	// +optional
	JetStream *ExternalJetStream `json:"jetStream,omitempty"`

	// Prefix begins the names of all subjects and streams: the hubs of one
	// cluster have the same, no other has it. 1 to 64 letters, digits, "-" and
	// "_". Default <namespace>_<name>, shortened with a hash where that is too
	// long. It cannot be changed.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-_0-9a-zA-Z]+$')",message="bus.nats.external.prefix must be 1 to 64 letters, digits, - and _"
	Prefix string `json:"prefix,omitempty"`
}

// ExternalJetStream is JetStream on a NATS that runs elsewhere.
type ExternalJetStream struct {
	// Replicas is the number of servers that keep each message: 1, or 3 or 5 of a
	// NATS that has as many. Default 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Enum=1;3;5
	Replicas int32 `json:"replicas,omitempty"`

	// Storage is where the servers keep messages: file or memory. Default file.
	// It cannot be changed.
	// +optional
	// +kubebuilder:default=file
	// +kubebuilder:validation:Enum=file;memory
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="bus.nats.external.jetStream.storage cannot be changed for a stream that exists: create a second GoHubCluster with the storage wanted and another prefix, move the clients, and delete this one"
	Storage string `json:"storage,omitempty"`
}
