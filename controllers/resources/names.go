package resources

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

// The components of a GoHubCluster, as in the label [LabelComponent].
const (
	ComponentHub   = "hub"
	ComponentNATS  = "nats"
	ComponentRedis = "redis"
)

// Labels of every object. Name, instance and component select pods.
const (
	LabelName      = "app.kubernetes.io/name"
	LabelInstance  = "app.kubernetes.io/instance"
	LabelComponent = "app.kubernetes.io/component"
	LabelManagedBy = "app.kubernetes.io/managed-by"

	// LabelService tells the Services of one component apart: "clients", "admin"
	// or "mesh".
	LabelService = "gohub.io/service"

	// ManagedBy is the value of LabelManagedBy.
	ManagedBy = "gohub-operator"
	AppName   = "gohub"
)

// Annotations of pod templates, so that a change of what the pods read rolls
// them.
const (
	// AnnotationConfigHash is the hash of the configuration file.
	AnnotationConfigHash = "gohub.io/config-hash"
	// AnnotationSecretHash is the hash of the Secrets' data.
	AnnotationSecretHash = "gohub.io/secret-hash"
)

// HubContainer is the name of the hub's container in its pod.
const HubContainer = "hub"

// Ports of the pods, and of all Services but the clients' one.
const (
	PortClients     = 8080 // websockets
	PortAdmin       = 8081 // admin API, probes and metrics
	PortMesh        = 6222 // hubs with the embedded bus among themselves
	PortNATS        = 4222
	PortNATSRoutes  = 6222 // NATS servers among themselves
	PortNATSMonitor = 8222 // probes
	PortRedis       = 6379
	portDNS         = 53
)

// The names of ports.
const (
	portNameClients = "ws"
	portNameAdmin   = "admin"
	portNameMesh    = "mesh"
)

// ServiceName is that of the clients' Service, the HTTPRoute, the Ingress and the
// ServiceMonitor.
func ServiceName(c *v1alpha1.GoHubCluster) string { return c.Name }

// AdminName is that of the Service of the admin API and the metrics, and of the
// Secret with the admin key where the operator makes one, under [AdminKey].
func AdminName(c *v1alpha1.GoHubCluster) string { return c.Name + "-admin" }

// AdminKey is the key in the Secret [AdminName].
const AdminKey = "key"

// MeshName is that of the headless Service of hubs with the embedded bus.
func MeshName(c *v1alpha1.GoHubCluster) string { return c.Name + "-mesh" }

// HubName is that of the Deployment, and of the hubs' ServiceAccount, ConfigMap,
// Secret, PodDisruptionBudget and NetworkPolicy.
func HubName(c *v1alpha1.GoHubCluster) string { return c.Name + "-hub" }

// NATSName is that of the StatefulSet, and of all that belongs to it.
func NATSName(c *v1alpha1.GoHubCluster) string { return c.Name + "-nats" }

// RedisName is that of the StatefulSet, and of all that belongs to it.
func RedisName(c *v1alpha1.GoHubCluster) string { return c.Name + "-redis" }

// Selector returns the labels that select the pods of one component. They are the
// caller's own.
func Selector(c *v1alpha1.GoHubCluster, component string) map[string]string {
	return map[string]string{LabelName: AppName, LabelInstance: c.Name, LabelComponent: component}
}

// ChildLabels returns the labels that all objects of c have. They are the
// caller's own.
func ChildLabels(c *v1alpha1.GoHubCluster) map[string]string {
	return map[string]string{LabelName: AppName, LabelInstance: c.Name, LabelManagedBy: ManagedBy}
}

// labels are those of an object of one component.
func labels(c *v1alpha1.GoHubCluster, component string) map[string]string {
	all := ChildLabels(c)
	maps.Copy(all, Selector(c, component))
	return all
}

// Prefix returns what begins the names of all subjects, streams, keys and
// channels on the bus: <namespace>_<name>, where that is over 64 bytes its
// beginning and a hash of it. A namespace holds no "_", so no two clusters have
// the same.
func Prefix(c *v1alpha1.GoHubCluster) string {
	const most, hashed = 64, 16
	full := c.Namespace + "_" + c.Name
	if len(full) <= most {
		return full
	}
	return full[:most-hashed-1] + "_" + hash([]byte(full))[:hashed]
}

// host is the name of a Service within the Kubernetes cluster, whatever its
// domain is.
func host(c *v1alpha1.GoHubCluster, service string) string {
	return service + "." + c.Namespace + ".svc"
}

// hash returns the SHA-256 of parts in hexadecimal digits. Parts are kept apart
// by their lengths.
func hash(parts ...[]byte) string {
	h := sha256.New()
	for _, part := range parts {
		sum := sha256.Sum256(part)
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}
