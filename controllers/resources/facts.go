package resources

import "github.com/chenxilol/gohub/api/v1alpha1"

// Facts are what [Build] cannot know from the resource.
type Facts struct {
	// Images are those used where the spec names none.
	Images Images

	// Operator says which pods are the operator's, for the network policies.
	Operator Operator

	// Replicas is the number of hubs to run now: spec.replicas or the decision of
	// the autoscaling, and more while hubs drain before they go.
	Replicas int32

	// Secrets are the data of the Secrets that exist of [SecretNames], by name.
	Secrets map[string]map[string][]byte

	// HTTPRoutes and ServiceMonitors say that the CRDs are there. Without one its
	// object is not built.
	HTTPRoutes, ServiceMonitors bool
}

// Images are container images.
type Images struct{ Hub, NATS, Redis string }

// Operator says which pods are the operator's. Without a Namespace it is not
// known, and the network policies let nobody in as the operator.
type Operator struct {
	// Namespace is that of the operator's pods.
	Namespace string
	// PodLabels select them. Empty is every pod of the namespace.
	PodLabels map[string]string
}

// HubImage returns the hubs' image, with the default filled in.
func (f Facts) HubImage(c *v1alpha1.GoHubCluster) string {
	if c.Spec.Image != "" {
		return c.Spec.Image
	}
	return f.Images.Hub
}

// InvalidError says that a spec, or what it refers to, cannot be used. Its text
// holds no secret.
type InvalidError struct {
	// Reason is that of the condition ConfigValid.
	Reason v1alpha1.ConditionReason
	// Message says what is wrong and what to do.
	Message string
}

// Error returns the message.
func (e *InvalidError) Error() string { return e.Message }
