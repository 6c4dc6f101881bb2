//go:build linux

package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
)

//go:embed addons.yaml
var addons []byte

// volumeCount is how many claims can be bound in a cluster's life.
const volumeCount = 48

// apply gives the cluster its addons and volumes.
func (c cluster) apply(ctx context.Context, p programs, nodes int) error {
	volumes, err := c.makeVolumes(nodes)
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.file("volumes.json"), volumes, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(c.file("addons.yaml"), addons, 0o600); err != nil {
		return err
	}
	_, err = c.kubectl(ctx, p, "apply", "-f", c.file("addons.yaml"), "-f", c.file("volumes.json"))
	return err
}

// makeVolumes makes folders of this machine and describes them as volumes that
// every node reaches, as those of a cloud are. They are of the kind "local",
// which a pod's fsGroup gives to its user; "hostPath" ones it does not.
func (c cluster) makeVolumes(nodes int) ([]byte, error) {
	var names []string
	for n := 1; n <= nodes; n++ {
		names = append(names, nodeName(n))
	}
	var items []object
	for i := range volumeCount {
		path := filepath.Join(c.volumes(), strconv.Itoa(i))
		if err := os.MkdirAll(path, 0o755); err != nil {
			return nil, err
		}
		items = append(items, object{
			"apiVersion": "v1",
			"kind":       "PersistentVolume",
			"metadata":   object{"name": "volume-" + strconv.Itoa(i)},
			"spec": object{
				"capacity":                      object{"storage": "100Gi"}, // nobody measures
				"accessModes":                   []string{"ReadWriteOnce"},
				"storageClassName":              "standard",
				"persistentVolumeReclaimPolicy": "Retain",
				"local":                         object{"path": path},
				"nodeAffinity": object{"required": object{"nodeSelectorTerms": []object{{
					"matchExpressions": []object{{"key": "kubernetes.io/hostname", "operator": "In", "values": names}},
				}}}},
			},
		})
	}
	return json.Marshal(object{"apiVersion": "v1", "kind": "List", "items": items})
}
