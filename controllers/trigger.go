package controllers

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

// trigger asks for clusters to be reconciled, without making anyone wait: it
// keeps each cluster once until the controller takes it.
type trigger struct {
	out  chan<- event.GenericEvent
	wake chan struct{} // of one

	mu      sync.Mutex // guards waiting
	waiting map[types.NamespacedName]bool
}

func newTrigger(out chan<- event.GenericEvent) *trigger {
	return &trigger{out: out, wake: make(chan struct{}, 1), waiting: map[types.NamespacedName]bool{}}
}

// cluster asks for one.
func (t *trigger) cluster(name types.NamespacedName) {
	t.mu.Lock()
	t.waiting[name] = true
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// Start hands on until ctx ends.
func (t *trigger) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.wake:
		}
		t.mu.Lock()
		waiting := t.waiting
		t.waiting = map[types.NamespacedName]bool{}
		t.mu.Unlock()
		for name := range waiting {
			c := &v1alpha1.GoHubCluster{}
			c.Namespace, c.Name = name.Namespace, name.Name
			select {
			case <-ctx.Done():
				return nil
			case t.out <- event.GenericEvent{Object: c}:
			}
		}
	}
}
