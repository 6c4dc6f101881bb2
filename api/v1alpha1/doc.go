// Package v1alpha1 is the Kubernetes API of GoHub: the resource GoHubCluster,
// its defaults, bounds and rules as markers of its schema, and the types and
// reasons of its conditions.
//
// Three habits hold for the whole spec:
//
//   - An optional part is on when it is there: auth, tls, httpRoute,
//     autoscaling, jetStream and the like have no switch beside them. An empty
//     one ("jetStream: {}") is on with its defaults.
//   - Numbers that mean a limit follow the hub: 0 is the default, and -1 off or
//     unlimited where the field says so.
//   - What cannot be changed in place is refused by the API server with the way
//     out in the message.
//
// The values are plain data. Treat what a cache returns as read only, and use
// DeepCopy before changing it.
//
// +kubebuilder:object:generate=true
// +groupName=gohub.io
package v1alpha1
