// Package crd holds the CRD of GoHubCluster, for the operator that installs it
// and for tests. kubectl takes the folder as it is: kubectl apply -f config/crd.
package crd

import _ "embed"

//go:embed gohub.io_gohubclusters.yaml
var goHubCluster string

// GoHubCluster returns the CRD as YAML. The bytes are the caller's own.
func GoHubCluster() []byte { return []byte(goHubCluster) }
