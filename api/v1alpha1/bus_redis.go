package v1alpha1

// RedisBus is a Redis that the operator runs, or one that runs elsewhere.
//
// +kubebuilder:validation:XValidation:rule="has(self.managed) != has(self.external)",message="bus.redis needs exactly one of managed (managed: {} is enough: the operator runs one Redis) and external (addresses of yours)"
// +kubebuilder:validation:XValidation:rule="has(self.managed) == has(oldSelf.managed)",message="bus.redis cannot change between managed and external, since hubs on the old and the new one would not hear each other during the update: create a second GoHubCluster, move the clients, and delete this one"
type RedisBus struct {
	// Managed is one Redis server that the operator runs for this cluster alone.
	// For one that survives a node, use external.
	// +optional
	Managed *ManagedRedis `json:"managed,omitempty"`

	// External is a Redis that runs elsewhere: one server, Sentinel or Cluster,
	// version 7 or later.
	// +optional
	External *ExternalRedis `json:"external,omitempty"`
}

// ManagedRedis is one Redis server that the operator runs, with a generated
// password.
//
// +kubebuilder:validation:XValidation:rule="has(self.storage) == has(oldSelf.storage)",message="bus.redis.managed.storage cannot be added or removed, since a StatefulSet keeps the volumes it was made with: create a second GoHubCluster with it, move the clients, and delete this one"
type ManagedRedis struct {
	// Storage is a volume for an append-only file, written every second, so that
	// histories outlive the pod. Default none: a restart of Redis loses them,
	// which clients see as recovered: false. It cannot be added or removed
	// later.
	// +optional
	Storage *Storage `json:"storage,omitempty"`

	// Retain keeps the volume and the generated Secret when the GoHubCluster is
	// deleted; a new one of the same name takes them up. Default false: they are
	// deleted with it.
	// +optional
	Retain bool `json:"retain,omitempty"`

	// Image is the Redis server's image, version 7 or later. Empty is the one
	// the operator was started with.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Image string `json:"image,omitempty"`

	// Pod is the common settings of the server's pod.
	// +optional
	Pod Pod `json:"pod,omitzero"`
}

// ExternalRedis says how to reach a Redis that runs elsewhere.
//
// +kubebuilder:validation:XValidation:rule="self.db == 0 || has(self.masterName) || size(self.addresses) == 1",message="several addresses without masterName are a Redis Cluster, which has only db 0: set masterName if they are Sentinels, or db to 0"
// +kubebuilder:validation:XValidation:rule="has(self.prefix) == has(oldSelf.prefix) && (!has(self.prefix) || self.prefix == oldSelf.prefix) && self.db == oldSelf.db",message="bus.redis.external.prefix and db cannot be changed, since hubs with different ones do not hear each other: create a second GoHubCluster with the new ones, move the clients, and delete this one"
type ExternalRedis struct {
	// Addresses are one server, or the Sentinels where masterName is set, or
	// several nodes of a Redis Cluster, each as host:port. 1 to 16.
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.all(a, a.matches('^[^/@?#\\\\s:]+:[0-9]{1,5}$'))",message="each of addresses must be host:port, without a scheme or credentials: TLS belongs in tls, credentials in the Secret of secretRef"
	Addresses []string `json:"addresses"`

	// MasterName is the name of the master the Sentinels watch. Default none.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	MasterName string `json:"masterName,omitempty"`

	// DB is the number of the database. Default 0. A Redis Cluster has only 0.
	// It cannot be changed.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=65535
	DB int32 `json:"db"`

	// SecretRef names a Secret with "password" and, where needed, "username",
	// "sentinelPassword" and "sentinelUsername". Default none. A change of the
	// data rolls the hubs.
	// +optional
	SecretRef *LocalRef `json:"secretRef,omitempty"`

	// TLS encrypts the connections. Default off.
	// +optional
	TLS *ClientTLS `json:"tls,omitempty"`

	// Prefix begins the names of all keys and channels: the hubs of one cluster
	// have the same, no other has it in the same db. 1 to 64 letters, digits,
	// "-" and "_". Default <namespace>_<name>, shortened with a hash where that
	// is too long. It cannot be changed.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-_0-9a-zA-Z]+$')",message="bus.redis.external.prefix must be 1 to 64 letters, digits, - and _"
	Prefix string `json:"prefix,omitempty"`
}
