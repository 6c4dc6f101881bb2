package hub

import "sync"

// where remembers on which node a client was found, so that the next message to
// it need not ask all of them.
type where struct {
	mu    sync.Mutex // guards nodes
	nodes map[string]uint64
}

// maxWhere bounds what is remembered; beyond it everything is forgotten.
const maxWhere = 65536

func (w *where) get(id string) (node uint64, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	node, ok = w.nodes[id]
	return node, ok
}

func (w *where) put(id string, node uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.nodes == nil || len(w.nodes) >= maxWhere {
		w.nodes = make(map[string]uint64)
	}
	w.nodes[id] = node
}

func (w *where) forget(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.nodes, id)
}
