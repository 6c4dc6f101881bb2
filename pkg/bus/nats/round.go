package nats

import (
	"context"
	"sync"
)

// rounds lets any number of callers share what one of them asks the server.
// Each gets an answer to a question that was put after it came.
type rounds[T any] struct {
	mu      sync.Mutex // guards what follows
	next    *round[T]  // of those who came since the last question was put
	running bool
}

type round[T any] struct {
	ask   func() (T, error) // of the last who joined
	done  chan struct{}
	value T // both set before done is closed
	err   error
}

// join returns the round that begins next. Questions are put by ask, one at a
// time, on a goroutine that run starts; join returns nil where run refuses.
func (r *rounds[T]) join(run func(func()) bool, ask func() (T, error)) *round[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == nil {
		r.next = &round[T]{done: make(chan struct{})}
	}
	joined := r.next
	joined.ask = ask
	if !r.running {
		if r.running = run(r.run); !r.running {
			return nil
		}
	}
	return joined
}

// run puts the question as long as somebody waits for an answer.
func (r *rounds[T]) run() {
	for {
		r.mu.Lock()
		current := r.next
		r.next = nil
		r.running = current != nil
		r.mu.Unlock()
		if current == nil {
			return
		}
		current.value, current.err = current.ask()
		close(current.done)
	}
}

// wait waits for the answer, until ctx ends.
func (r *round[T]) wait(ctx context.Context) (T, error) {
	select {
	case <-r.done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
