package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Service is the Service in front of the hubs, named as the GoHubCluster. The
// admin API and the metrics have a Service of their own, <name>-admin, which is
// always internal.
//
// +kubebuilder:validation:XValidation:rule="!has(self.nodePort) || self.type != 'ClusterIP'",message="service.nodePort needs service.type NodePort or LoadBalancer: set the type, or remove nodePort"
// +kubebuilder:validation:XValidation:rule="!has(self.externalTrafficPolicy) || self.type != 'ClusterIP'",message="service.externalTrafficPolicy needs service.type NodePort or LoadBalancer: set the type, or remove it"
// +kubebuilder:validation:XValidation:rule="self.type == 'LoadBalancer' || (!has(self.loadBalancerClass) && !has(self.loadBalancerSourceRanges))",message="service.loadBalancerClass and loadBalancerSourceRanges need service.type LoadBalancer: set the type, or remove them"
// +kubebuilder:validation:XValidation:rule="self.type != 'LoadBalancer' || oldSelf.type != 'LoadBalancer' || (has(self.loadBalancerClass) == has(oldSelf.loadBalancerClass) && (!has(self.loadBalancerClass) || self.loadBalancerClass == oldSelf.loadBalancerClass))",message="service.loadBalancerClass cannot be changed while service.type is LoadBalancer: set the type to ClusterIP without the class first, then back with the new one"
type Service struct {
	// Type is ClusterIP, NodePort or LoadBalancer. Default ClusterIP.
	// +optional
	// +kubebuilder:default=ClusterIP
	// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
	Type corev1.ServiceType `json:"type,omitempty"`

	// Port is the port clients and gateways connect to, 1 to 65535. Default 80.
	// +optional
	// +kubebuilder:default=80
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`

	// NodePort is the port on every node, 1 to 65535 within the range of the
	// Kubernetes cluster. Default: Kubernetes chooses one. Needs type NodePort or
	// LoadBalancer.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	NodePort int32 `json:"nodePort,omitempty"`

	// Annotations are added to the Service, for cloud load balancers. Default
	// none.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Annotations map[string]string `json:"annotations,omitempty"`

	// ExternalTrafficPolicy is Cluster, or Local, which keeps the clients'
	// addresses. Default: that of Kubernetes, Cluster. Needs type NodePort or
	// LoadBalancer.
	// +optional
	// +kubebuilder:validation:Enum=Cluster;Local
	ExternalTrafficPolicy corev1.ServiceExternalTrafficPolicy `json:"externalTrafficPolicy,omitempty"`

	// LoadBalancerClass chooses the load balancer's implementation. Default: that
	// of the Kubernetes cluster. Needs type LoadBalancer, and cannot be changed
	// while the type stays so.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	LoadBalancerClass *string `json:"loadBalancerClass,omitempty"`

	// LoadBalancerSourceRanges are the CIDR ranges of clients the load balancer
	// lets in. Default all, at most 256. Needs type LoadBalancer.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:XValidation:rule="isCIDR(self)",message="must be a CIDR range, such as 10.0.0.0/8"
	LoadBalancerSourceRanges []string `json:"loadBalancerSourceRanges,omitempty"`
}

// HTTPRoute makes a Gateway send clients to the hubs.
type HTTPRoute struct {
	// ParentRefs are the Gateways, or listeners of them, the route belongs to. 1
	// to 16.
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	ParentRefs []ParentRef `json:"parentRefs"`

	// Hostnames are the hosts the route answers for; the first label may be "*".
	// Default all of the Gateway's, at most 16.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Hostnames []Hostname `json:"hostnames,omitempty"`

	// Path is the prefix of the paths sent to the hubs. Default /ws, where hubs
	// take websockets; "/" for a program of your own that serves more.
	// +optional
	// +kubebuilder:default=/ws
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^/[^\\\\s?#]*$')",message="path must begin with / and hold no spaces, ? or #"
	Path string `json:"path,omitempty"`

	// Timeout is the longest a request, which a websocket is, may last, such as
	// "24h"; "0s" is for ever. Default: none is written and the Gateway's own
	// holds, since some Gateways refuse routes with one.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}(ms|s|m|h)){1,4}$')",message="httpRoute.timeout must be a duration with a unit, such as 24h or 1h30m, or 0s for no end"
	Timeout *metav1.Duration `json:"timeout,omitempty"`

	// Annotations are added to the HTTPRoute. Default none.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Annotations map[string]string `json:"annotations,omitempty"`
}

// ParentRef names a Gateway, or a section or port of it.
type ParentRef struct {
	// Name is the Gateway's name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// Namespace is the Gateway's namespace. Default: that of the GoHubCluster.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// SectionName is the name of the Gateway's listener. Default: all that fit.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	SectionName string `json:"sectionName,omitempty"`

	// Port limits the route to listeners on this port. Default: all.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`
}

// Hostname is a DNS name whose first label may be "*".
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="self.matches('^(\\\\*\\\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be a host such as chat.example.com or *.example.com, in lower case and without a port"
type Hostname string

// Ingress makes an ingress controller send clients to the hubs. Its timeouts are
// set by annotations of that controller; the hubs' pings come every 25 seconds.
type Ingress struct {
	// ClassName chooses the ingress controller. Default: that of the Kubernetes
	// cluster.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ClassName *string `json:"className,omitempty"`

	// Hosts are the hosts the ingress answers for; the first label may be "*". 1
	// to 16.
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Hosts []Hostname `json:"hosts"`

	// Path is the prefix of the paths sent to the hubs. Default /ws, where hubs
	// take websockets; "/" for a program of your own that serves more.
	// +optional
	// +kubebuilder:default=/ws
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^/[^\\\\s?#]*$')",message="path must begin with / and hold no spaces, ? or #"
	Path string `json:"path,omitempty"`

	// TLSSecretName names the Secret with the certificate for all hosts. Default
	// none: plain HTTP, or the controller's own certificate.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	TLSSecretName string `json:"tlsSecretName,omitempty"`

	// Annotations are added to the Ingress. Default none.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Annotations map[string]string `json:"annotations,omitempty"`
}

// NetworkPolicy says who reaches the pods, and whom they reach. What is not
// allowed here or needed by the cluster itself is denied, where the network
// plugin enforces policies.
type NetworkPolicy struct {
	// Enabled makes the policies. Default true.
	// +optional
	// +kubebuilder:default=true
	Enabled *bool `json:"enabled,omitempty"`

	// ClientsFrom are the peers that reach the hubs' websocket port, at most 32.
	// Default everybody.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	ClientsFrom []networkingv1.NetworkPolicyPeer `json:"clientsFrom,omitempty"`

	// AdminFrom are the peers that reach the hubs' admin port, which has the
	// admin API, the probes and the metrics, at most 32: your services,
	// Prometheus. Default nobody but the operator.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	AdminFrom []networkingv1.NetworkPolicyPeer `json:"adminFrom,omitempty"`

	// Egress is what the hubs may reach beside DNS, each other, the bus and the
	// port of auth.jwksURL, at most 32 rules. Default nothing. For a program of
	// your own that needs more.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Egress []networkingv1.NetworkPolicyEgressRule `json:"egress,omitempty"`
}
