// Package resources builds the Kubernetes objects of a GoHubCluster. Everything
// here is a pure function of the resource and of what its caller has looked up:
// no client, no clock, no random number. Functions change nothing they are
// given, and are safe for concurrent use.
//
// Objects are apply configurations of client-go, not the API's types: every
// field of one is optional, so what is written is what this package sets and
// nothing else. A field manager then owns exactly those fields; the API's types
// would also claim the zeros of fields that have no omitempty, such as a
// Deployment's strategy or a Service's status. They are what
// sigs.k8s.io/controller-runtime's Client.Apply takes, and [Kinds] reads the same
// type back from a live object, for comparing.
//
// nil means absent: an object that is not built is not wanted.
//
// A reconciler makes the Secrets of [GeneratedSecrets], looks up those of
// [SecretNames], and applies what [Build] returns.
package resources
