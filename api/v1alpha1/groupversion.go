package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Group, Version and Kind name GoHubCluster in the API of Kubernetes.
const (
	Group   = "gohub.io"
	Version = "v1alpha1"
	Kind    = "GoHubCluster"
)

// GroupVersion returns the group and version of this package's types.
func GroupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: Group, Version: Version}
}

// AddToScheme makes scheme know this package's types. It returns no error: the
// signature is that of a step of [runtime.SchemeBuilder].
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion(), &GoHubCluster{}, &GoHubClusterList{})
	metav1.AddToGroupVersion(scheme, GroupVersion())
	return nil
}
