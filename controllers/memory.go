package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/controllers/scaling"
)

// memory is what the operator remembers of a cluster between reconciliations. All
// of it can be lost: it saves requests, and makes decisions steadier.
type memory struct {
	uid types.UID

	desired int32 // last decision of the autoscaling; the status may be behind it
	history scaling.History

	connectionsAt time.Time // when status.connections was written
	adminKeys     []string  // the newest first; hubs not updated yet have the one before
}

// memories are those of all clusters.
type memories struct {
	mu  sync.Mutex // guards all
	all map[types.NamespacedName]*memory
}

func newMemories() *memories { return &memories{all: map[types.NamespacedName]*memory{}} }

// of returns the memory of a cluster, an empty one where another of the same name
// came before.
func (m *memories) of(c *v1alpha1.GoHubCluster) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := client.ObjectKeyFromObject(c)
	if have := m.all[key]; have != nil && have.uid == c.UID {
		return have
	}
	m.all[key] = &memory{uid: c.UID}
	return m.all[key]
}

func (m *memories) forget(key types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all, key)
}
