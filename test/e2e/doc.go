// Package e2e tests the operator, the chart and the images on a real Kubernetes
// of two nodes, as users meet them: with helm and kubectl, and with clients
// outside the hubs. Its tests have the build tag e2e and are run by hack/e2e.sh,
// which starts the cluster; make e2e runs them all, and
//
//	make e2e ARGS=-test.run=TestSamples
//
// some. Each test has a namespace of its own, in which the restricted pod
// security standard is enforced, and can run alone.
package e2e
