package nats

import "sync"

// tasks are the goroutines of a bus.
type tasks struct {
	mu      sync.Mutex // guards ended
	ended   chan struct{}
	running sync.WaitGroup
}

// run runs f on a goroutine of its own, unless stop has been called.
func (t *tasks) run(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended != nil {
		return false
	}
	t.running.Go(f)
	return true
}

// stop has run refuse from now on, and returns a channel that is closed when all
// goroutines have ended.
func (t *tasks) stop() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended == nil {
		ended := make(chan struct{})
		t.ended = ended
		go func() {
			t.running.Wait()
			close(ended)
		}()
	}
	return t.ended
}
