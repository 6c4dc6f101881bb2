package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// GoHubCluster is a group of websocket hubs that act as one, with the bus that
// connects them, the network in front of them and their monitoring.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=ghc,categories=all
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Hubs",type=integer,JSONPath=`.status.readyReplicas`
// +kubebuilder:printcolumn:name="Bus",type=string,JSONPath=`.status.bus`
// +kubebuilder:printcolumn:name="Connections",type=integer,JSONPath=`.status.connections`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Capacity",type=integer,JSONPath=`.status.capacity`,priority=1
// +kubebuilder:printcolumn:name="Image",type=string,JSONPath=`.status.image`,priority=1
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name begins the names of Services, so it must be at most 40 characters, begin with a letter, and hold only a-z, 0-9 and -; choose another name"
type GoHubCluster struct {
	metav1.TypeMeta `json:",inline"`

	// Metadata is that of every Kubernetes object. The name has at most 40
	// characters, begins with a letter and holds only a-z, 0-9 and "-"; it begins
	// the names of everything the operator makes.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// Spec is what is wanted. An empty one is two hubs on a NATS of three
	// servers, open to everybody within the Kubernetes cluster.
	// +optional
	// +kubebuilder:default={}
	Spec GoHubClusterSpec `json:"spec,omitzero"`

	// Status is what the operator saw last. Nobody else writes it.
	// +optional
	Status GoHubClusterStatus `json:"status,omitzero"`
}

// GoHubClusterList is a list of GoHubCluster.
//
// +kubebuilder:object:root=true
type GoHubClusterList struct {
	metav1.TypeMeta `json:",inline"`

	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`

	// Items are the resources of the list.
	Items []GoHubCluster `json:"items"`
}

// GoHubClusterSpec is what is wanted of a cluster of hubs.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.httpRoute) && has(self.ingress))",message="use httpRoute or ingress, not both: remove one, and write a second way in by hand to the Service of the hubs"
// +kubebuilder:validation:XValidation:rule="!has(self.rooms) || !self.rooms.exists(r, r.historySize > 0) || self.bus.type != 'nats' || (has(self.bus.nats) && ((has(self.bus.nats.managed) && has(self.bus.nats.managed.jetStream)) || (has(self.bus.nats.external) && has(self.bus.nats.external.jetStream))))",message="rooms with a historySize need a bus that keeps it: create the cluster with jetStream on bus.nats, or with bus.type redis or embedded, or remove historySize"
// +kubebuilder:validation:XValidation:rule="!has(self.autoscaling) || self.limits.maxConnections <= 0 || self.autoscaling.connectionsPerPod <= self.limits.maxConnections",message="autoscaling.connectionsPerPod is over limits.maxConnections, so hubs would be full before a new one starts: lower it, or raise limits.maxConnections"
type GoHubClusterSpec struct {
	// Replicas is the number of hubs, 0 to 1000. Default 2. It is ignored while
	// autoscaling is set. 0 stops all hubs and keeps the bus and what it stores.
	// From 2 on the hubs have a PodDisruptionBudget. Fewer hubs than before: the
	// emptiest are drained first.
	// +optional
	// +kubebuilder:default=2
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Replicas *int32 `json:"replicas,omitempty"`

	// Image is the hub's container image: the stock hub, or any program built on
	// server.LoadOptions, which reads what the operator renders. Empty is the
	// stock image of the operator's own release. A change is a rolling update
	// with draining.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="!self.matches('\\\\s')",message="image must not hold spaces: give it as registry/name:tag or registry/name@sha256:digest"
	Image string `json:"image,omitempty"`

	// ImagePullPolicy says when nodes pull the images of hubs and bus: Always,
	// IfNotPresent or Never. Empty leaves it to Kubernetes: Always for :latest,
	// else IfNotPresent.
	// +optional
	// +kubebuilder:validation:Enum=Always;IfNotPresent;Never
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty"`

	// ImagePullSecrets name Secrets in the same namespace with which nodes pull
	// the images of hubs and bus. Default none.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	ImagePullSecrets []LocalRef `json:"imagePullSecrets,omitempty"`

	// Bus is what connects the hubs. The default is a NATS of three servers that
	// the operator runs.
	// +optional
	// +kubebuilder:default={type: nats, nats: {managed: {}}}
	Bus Bus `json:"bus,omitzero"`

	// Auth asks every connection for a valid token. Left out, everybody connects
	// and may do everything.
	// +optional
	Auth *Auth `json:"auth,omitempty"`

	// AdminKeyRef is the Secret key with the key that callers of the admin API
	// send as "Authorization: Bearer <key>". Left out, the operator makes one in
	// the Secret <name>-admin, under the key "key". A change of the data rolls
	// the hubs.
	// +optional
	AdminKeyRef *SecretKeyRef `json:"adminKeyRef,omitempty"`

	// Rooms are rules for rooms by name. The first rule whose pattern matches a
	// room's name applies; a room no rule matches has no limit, no history and no
	// presence notices. Default none. At most 256.
	// +optional
	// +listType=map
	// +listMapKey=pattern
	// +kubebuilder:validation:MaxItems=256
	Rooms []RoomRule `json:"rooms,omitempty"`

	// Limits bound what one hub, client, room or address may use.
	// +optional
	// +kubebuilder:default={}
	Limits Limits `json:"limits,omitzero"`

	// Drain paces how a hub lets its clients go when it is updated, moved or no
	// longer needed.
	// +optional
	// +kubebuilder:default={}
	Drain Drain `json:"drain,omitzero"`

	// Config holds further keys of the hub's configuration file, as in
	// docs/configuration.md: allowedOrigins, trustedProxies, compression,
	// duplicateID, logLevel and the like. Keys that the operator sets from other
	// fields are refused with the condition ConfigValid, which names the field
	// to use, and so is every value the hub itself would refuse. Default none.
	// +optional
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Config *runtime.RawExtension `json:"config,omitempty"`

	// Service is the Service in front of the hubs.
	// +optional
	// +kubebuilder:default={}
	Service Service `json:"service,omitzero"`

	// HTTPRoute makes a Gateway send clients to the hubs. Default none. Needs the
	// Gateway API's CRDs; use it or ingress.
	// +optional
	HTTPRoute *HTTPRoute `json:"httpRoute,omitempty"`

	// Ingress makes an ingress controller send clients to the hubs. Default none.
	// Use it or httpRoute.
	// +optional
	Ingress *Ingress `json:"ingress,omitempty"`

	// TLS makes the hubs themselves speak TLS to clients. Default off: a gateway
	// ends TLS, which costs the hubs less memory. Needs more memory for each
	// connection, since a hub then has a goroutine for each.
	// +optional
	TLS *ServerTLS `json:"tls,omitempty"`

	// NetworkPolicy says who reaches the pods, and whom they reach.
	// +optional
	// +kubebuilder:default={}
	NetworkPolicy NetworkPolicy `json:"networkPolicy,omitzero"`

	// Monitoring has Prometheus read the hubs' metrics. Default none; the metrics
	// are served in any case.
	// +optional
	Monitoring *Monitoring `json:"monitoring,omitempty"`

	// Autoscaling lets the number of hubs follow their connections, without
	// Prometheus or any other addition. Default off. While it is set,
	// spec.replicas is ignored and the decision is in status.desiredReplicas.
	// +optional
	Autoscaling *Autoscaling `json:"autoscaling,omitempty"`

	// Pod is the common settings of the hubs' pods.
	// +optional
	Pod HubPod `json:"pod,omitzero"`

	// PodTemplate is a strategic merge patch (as of kubectl patch) that is laid
	// over the hubs' pod template last, with metadata and spec; the hub's
	// container is named "hub". For what has no field of its own: volumes, init
	// containers, sidecars. Selector labels cannot be changed. A patch that does
	// not apply is the condition ConfigValid. Default none.
	// +optional
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	PodTemplate *runtime.RawExtension `json:"podTemplate,omitempty"`

	// Paused makes the operator leave everything of this cluster as it is, by
	// hand edits included, until it is false again. Only the condition Paused is
	// written. Default false.
	// +optional
	Paused bool `json:"paused,omitempty"`
}
