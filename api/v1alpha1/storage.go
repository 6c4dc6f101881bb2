package v1alpha1

import "k8s.io/apimachinery/pkg/api/resource"

// Storage is the volume of each server of a managed bus.
//
// +kubebuilder:validation:XValidation:rule="has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",message="storageClassName cannot be changed, since volumes stay in the class they were made in: create a second GoHubCluster with the class wanted, move the clients, and delete this one"
type Storage struct {
	// Size is the size of each volume. Default 10Gi, at least 64Mi. It may only
	// grow, and only where the storage class allows expansion.
	// +optional
	// +kubebuilder:default="10Gi"
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('64Mi')) >= 0",message="size must be a quantity such as 10Gi, at least 64Mi"
	// +kubebuilder:validation:XValidation:rule="!isQuantity(string(self)) || quantity(string(self)).compareTo(quantity(string(oldSelf))) >= 0",message="size can only grow, since volumes cannot shrink: for smaller ones create a second GoHubCluster, move the clients, and delete this one"
	Size resource.Quantity `json:"size,omitzero"`

	// StorageClassName is the class of the volumes. Default: the default class of
	// the Kubernetes cluster. It cannot be changed.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	StorageClassName string `json:"storageClassName,omitempty"`
}
