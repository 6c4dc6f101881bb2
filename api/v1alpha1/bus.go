package v1alpha1

// BusType names what connects the hubs.
//
// +kubebuilder:validation:Enum=nats;redis;embedded
type BusType string

// The buses. What each promises is one table in docs/cluster.md.
const (
	BusNATS     BusType = "nats"
	BusRedis    BusType = "redis"
	BusEmbedded BusType = "embedded"
)

// Bus is what connects the hubs.
//
// +kubebuilder:validation:XValidation:rule="self.type != 'nats' || has(self.nats)",message="bus.type nats needs bus.nats: managed: {} for one that the operator runs, or external for yours"
// +kubebuilder:validation:XValidation:rule="self.type != 'redis' || has(self.redis)",message="bus.type redis needs bus.redis: managed: {} for one that the operator runs, or external for yours"
// +kubebuilder:validation:XValidation:rule="self.type == 'nats' || !has(self.nats)",message="bus.nats has no effect with this bus.type: remove it"
// +kubebuilder:validation:XValidation:rule="self.type == 'redis' || !has(self.redis)",message="bus.redis has no effect with this bus.type: remove it"
// +kubebuilder:validation:XValidation:rule="self.type == 'embedded' || !has(self.embedded)",message="bus.embedded has no effect with this bus.type: remove it"
type Bus struct {
	// Type is nats, redis, or embedded (a NATS server inside each hub). Default
	// nats. It cannot be changed.
	// +optional
	// +kubebuilder:default=nats
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="bus.type cannot be changed, since hubs on the old and the new bus would not hear each other during the update: create a second GoHubCluster with the new bus, move the clients, and delete this one"
	Type BusType `json:"type,omitempty"`

	// NATS says which NATS. Needed with type nats, and only there.
	// +optional
	NATS *NATSBus `json:"nats,omitempty"`

	// Redis says which Redis. Needed with type redis, and only there.
	// +optional
	Redis *RedisBus `json:"redis,omitempty"`

	// Embedded sets up the mesh of the hubs. Only with type embedded; left out
	// there, the mesh has a generated user and password and no TLS.
	// +optional
	Embedded *EmbeddedBus `json:"embedded,omitempty"`
}

// EmbeddedBus sets up the mesh of hubs with NATS servers inside them.
type EmbeddedBus struct {
	// TLS encrypts the mesh. Default off. Each hub is server and client, so the
	// Secret needs tls.crt, tls.key and ca.crt, valid for
	// *.<name>-mesh.<namespace>.svc. Turning it on or off cuts the mesh in two
	// during the update.
	// +optional
	TLS *ServerTLS `json:"tls,omitempty"`
}
