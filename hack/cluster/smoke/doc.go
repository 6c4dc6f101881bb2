// Package smoke tests a cluster before anything else is tested on it: pods of
// the hub's image run on every node, and a websocket reaches them through a
// Service. Its tests have the build tag e2e and are run by hack/e2e.sh.
package smoke
