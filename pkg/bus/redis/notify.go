package redis

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/chenxilol/gohub/pkg/bus"
)

// A Dropped notice names at most this many subjects; beyond it means all.
const maxNamed = 4096

// errSlow is what a Dropped notice says.
var errSlow = errors.New("messages were thrown away: they came faster than they were delivered")

// notifier calls Notify with one notice at a time, on a goroutine of its own:
// who has something to tell may hold locks.
type notifier struct {
	notify func(bus.Notice)
	wake   chan struct{}

	mu      sync.Mutex
	waiting []waitingNotice // guarded by mu
}

// waitingNotice is a notice that has not been told. One of dropped messages
// collects its subjects in a set, until they are too many to name.
type waitingNotice struct {
	bus.Notice
	subjects map[string]struct{}
}

func newNotifier(notify func(bus.Notice)) *notifier {
	if notify == nil {
		notify = func(bus.Notice) {}
	}
	return &notifier{notify: notify, wake: make(chan struct{}, 1)}
}

// add puts a notice behind those that wait.
func (n *notifier) add(notice bus.Notice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waiting = append(n.waiting, waitingNotice{Notice: notice})
	signal(n.wake)
}

// dropped tells of messages of some subjects. It joins the last notice if that
// is of the same kind, so that a flood of them stays short.
func (n *notifier) dropped(err error, subjects ...string) {
	if len(subjects) == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	last := len(n.waiting) - 1
	if last < 0 || n.waiting[last].Kind != bus.Dropped {
		n.waiting = append(n.waiting, waitingNotice{
			Notice:   bus.Notice{Kind: bus.Dropped, Err: err},
			subjects: map[string]struct{}{},
		})
		last++
	}
	named := n.waiting[last].subjects
	for _, s := range subjects {
		if len(named) <= maxNamed {
			named[s] = struct{}{}
		}
	}
	signal(n.wake)
}

func (n *notifier) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		}
		for ctx.Err() == nil {
			notice, any := n.next()
			if !any {
				break
			}
			n.notify(notice)
		}
	}
}

func (n *notifier) next() (bus.Notice, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.waiting) == 0 {
		return bus.Notice{}, false
	}
	w := n.waiting[0]
	n.waiting = n.waiting[1:]
	if len(w.subjects) <= maxNamed {
		w.Subjects = slices.Collect(maps.Keys(w.subjects)) // nil if there are none
	}
	return w.Notice, true
}

// signal wakes who waits for a channel of capacity 1.
func signal(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}
