package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/hub"
)

// Bounds of answering: how many questions that take time at once, and how long
// one may.
const (
	maxServing  = 4096
	serveWithin = 5 * time.Second
)

// receive takes a message of another node from the bus.
func (c *Cluster) receive(m bus.Message) {
	r := reader{b: m.Payload}
	kind, from := r.byte(), r.fixed()
	if r.bad || from == c.boot {
		return
	}
	switch kind {
	case kindBeat:
		c.heard(from, &r)
	case kindGone:
		c.nodeGone(from, false)
	case kindDigest:
		c.compare(from, &r)
	case kindAsk:
		number, name := r.uint(), r.string()
		if !r.bad {
			c.serve(from, number, name, r.rest(), true)
		}
	case kindTell:
		name := r.string()
		if !r.bad {
			c.serve(from, 0, name, r.rest(), false)
		}
	case kindAnswer:
		number, failed := r.uint(), r.bool()
		if failed {
			if e := readError(&r); !r.bad {
				c.calls.take(from, number, reply{err: e})
			}
		} else if !r.bad {
			c.calls.take(from, number, reply{data: r.rest()})
		}
	}
}

// serve runs the handler of a question.
func (c *Cluster) serve(from, number uint64, name string, question []byte, answer bool) {
	h, ok := c.calls.handlers[name]
	if !ok {
		h = registered{quick: true, f: func(context.Context, uint64, []byte) ([]byte, error) {
			return nil, hub.NewError(hub.CodeServer, "this hub's version does not know the question %q", name)
		}}
	}
	run := func(ctx context.Context) {
		data, err := h.f(ctx, from, question)
		if answer {
			c.answer(from, number, data, err)
		}
	}
	if h.quick {
		run(c.ctx)
		return
	}
	select {
	case c.calls.serving <- struct{}{}:
		c.spawn(func() {
			defer func() { <-c.calls.serving }()
			ctx, cancel := context.WithTimeout(c.ctx, serveWithin)
			defer cancel()
			run(ctx)
		})
	default:
		if answer {
			c.answer(from, number, nil, hub.NewError(hub.CodeRateLimited, "the hub has too many questions to answer"))
		}
	}
}

// answer sends an answer; where the bus is away nobody waits for it.
func (c *Cluster) answer(to, number uint64, data []byte, err error) {
	w := c.answerOf(number, data, err)
	if err := c.fits(w); err != nil {
		w = c.answerOf(number, nil, err)
	}
	if err := c.bus.Publish(nodeSubject(to), w); err != nil {
		c.cfg.Logger.Debug("answer not sent", "error", err)
	}
}

func (c *Cluster) answerOf(number uint64, data []byte, err error) writer {
	w := c.message(kindAnswer)
	w.uint(number)
	w.bool(err != nil)
	if err != nil {
		writeError(&w, err)
	} else {
		w = append(w, data...)
	}
	return w
}

// writeError writes an error so that readError makes the same of it. Of errors
// that are no *hub.Error the text stays here.
func writeError(w *writer, err error) {
	code, text := hub.CodeServer, "another hub could not do it"
	var e *hub.Error
	if errors.As(err, &e) {
		code, text = e.Code, e.Message
	}
	w.bool(err == errNotYet)
	w.uint(uint64(code))
	w.string(text)
}

func readError(r *reader) error {
	if r.bool() {
		return errNotYet
	}
	code, text := r.uint(), r.string()
	return hub.NewError(int(code), "%s", text)
}
