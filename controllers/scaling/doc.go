// Package scaling decides how many hubs a GoHubCluster has and which of them go
// first, and derives the times of a drain. Everything is a function of its
// inputs, the time included: nothing here reads a clock, asks a server or keeps
// state. What has to outlive the operator is in annotations of the pods.
package scaling
