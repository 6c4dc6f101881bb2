package v1alpha1

import corev1 "k8s.io/api/core/v1"

// Pod is the common settings of pods. A change is a rolling update. The
// security context is that of the restricted pod security standard and has no
// field.
type Pod struct {
	// Labels are added to the pods. Default none, at most 64. Those the operator
	// selects by, app.kubernetes.io/..., cannot be set.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('app.kubernetes.io/') && !k.startsWith('gohub.io/'))",message="labels beginning with app.kubernetes.io/ or gohub.io/ are the operator's own: choose other names"
	Labels map[string]string `json:"labels,omitempty"`

	// Annotations are added to the pods. Default none, at most 64. Those of the
	// operator, gohub.io/..., cannot be set.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('gohub.io/'))",message="annotations beginning with gohub.io/ are the operator's own: choose other names"
	Annotations map[string]string `json:"annotations,omitempty"`

	// Resources are the CPU and memory the main container requests and may use.
	// Default none. For hubs, the memory limit also becomes Go's soft limit
	// (GOMEMLIMIT, at nine tenths); docs/kubernetes.md has a table of sizes.
	// +optional
	Resources corev1.ResourceRequirements `json:"resources,omitzero"`

	// NodeSelector limits the pods to nodes with these labels. Default none.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// Tolerations let the pods run on nodes with these taints. Default none, at
	// most 64.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// Affinity says which nodes and neighbours the pods seek or avoid. Default
	// none.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`

	// TopologySpreadConstraints say how the pods are spread, at most 16. Default:
	// over nodes and, unless affinity is set, over zones as evenly as possible,
	// which never keeps a pod from being scheduled. A constraint without a
	// labelSelector selects the pods themselves.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`

	// PriorityClassName is the pods' priority. Default: that of the Kubernetes
	// cluster.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName string `json:"priorityClassName,omitempty"`
}

// HubPod is the settings of the hubs' pods.
type HubPod struct {
	Pod `json:",inline"`

	// ServiceAccountName names a ServiceAccount that exists, for programs of your
	// own that need one; its token is then mounted as Kubernetes does by default.
	// Default: one that the operator makes, without rights and without a token.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ServiceAccountName string `json:"serviceAccountName,omitempty"`

	// Env are environment variables for the hub's container, for programs of your
	// own, at most 256. Default none. Those of the hub, GOHUB_..., cannot be
	// set: they would win over what the operator renders.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:XValidation:rule="self.all(e, !e.name.startsWith('GOHUB_'))",message="variables beginning with GOHUB_ are the operator's own: use the field of the spec, or spec.config with the key of docs/configuration.md"
	Env []corev1.EnvVar `json:"env,omitempty"`

	// EnvFrom are ConfigMaps and Secrets whose keys become environment variables
	// of the hub's container, at most 64. Default none. A change of their data
	// does not restart the hubs.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	EnvFrom []corev1.EnvFromSource `json:"envFrom,omitempty"`
}
