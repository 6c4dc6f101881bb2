package hubtest

import (
	"errors"
	"sync"
	"time"

	"github.com/chenxilol/gohub/pkg/hub"
)

// errNothing means that nothing has come in time.
var errNothing = errors.New("nothing received")

// inbox is what a client has read and the test has not taken yet, however much
// that is.
type inbox struct {
	more chan struct{} // gets a value when there may be something new; one slot

	mu     sync.Mutex // guards all below
	frames []hub.Frame
	err    error // why there will be no more; nil while there may be
}

func (in *inbox) put(f hub.Frame) {
	in.mu.Lock()
	in.frames = append(in.frames, f)
	in.mu.Unlock()
	in.wake()
}

func (in *inbox) end(err error) {
	in.mu.Lock()
	in.err = err
	in.mu.Unlock()
	in.wake()
}

func (in *inbox) wake() {
	select {
	case in.more <- struct{}{}:
	default:
	}
}

func (in *inbox) ended() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.err
}

// next takes the next frame. It returns the reason where there will be none,
// and errNothing where none comes until deadline.
func (in *inbox) next(deadline <-chan time.Time) (hub.Frame, error) {
	for {
		f, ok, err := in.take()
		if ok || err != nil {
			return f, err
		}
		select {
		case <-in.more:
		case <-deadline:
			return hub.Frame{}, errNothing
		}
	}
}

func (in *inbox) take() (f hub.Frame, ok bool, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.frames) == 0 {
		in.frames = nil
		return f, false, in.err
	}
	f = in.frames[0]
	in.frames[0] = hub.Frame{}
	in.frames = in.frames[1:]
	return f, true, nil
}
