package bustest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
)

// mutant is a driver with one fault.
type mutant struct {
	name    string
	caught  string // by this subtest
	options func(*bus.Options)
	spoil   func(*faulty)
}

// every returns a function that is true each n-th time.
func every(n int64) func() bool {
	var count atomic.Int64
	return func() bool { return count.Add(1)%n == 0 }
}

func mutants() []mutant {
	return append(append(messageMutants(), connectionMutants()...), logMutants()...)
}

func messageMutants() []mutant {
	return []mutant{
		{name: "loses a message", caught: "subscribe/probed_is_in_force", spoil: func(f *faulty) {
			publish, lost := f.publish, every(300)
			f.publish = func(subject string, p []byte) error {
				if len(p) == 0 && lost() {
					return nil
				}
				return publish(subject, p)
			}
		}},
		{name: "delivers twice", caught: "order/of_each_publisher", spoil: func(f *faulty) {
			again := every(200)
			f.heard(func(deliver func(bus.Message)) func(bus.Message) {
				return func(m bus.Message) {
					deliver(m)
					if again() {
						deliver(m)
					}
				}
			})
		}},
		{name: "swaps messages", caught: "order/of_a_goroutine", spoil: func(f *faulty) {
			f.heard(func(deliver func(bus.Message)) func(bus.Message) {
				var held *bus.Message
				hold := every(50)
				return func(m bus.Message) {
					if held == nil && len(m.Payload) == 9 && hold() {
						held = &m
						return
					}
					deliver(m)
					if held != nil {
						deliver(*held)
						held = nil
					}
				}
			})
		}},
		{name: "swaps subjects", caught: "order/of_each_publisher", spoil: func(f *faulty) {
			// Each subject has its own order, and one of them lags.
			var late []func()
			lag := every(50)
			f.heard(func(deliver func(bus.Message)) func(bus.Message) {
				slow := lag()
				return func(m bus.Message) {
					if slow {
						late = append(late, func() { deliver(m) })
						if len(late) < 3 {
							return
						}
						for _, f := range late {
							f()
						}
						late = nil
						return
					}
					deliver(m)
				}
			})
		}},
		{name: "ends at a line", caught: "payload/bytes_are_bytes", spoil: func(f *faulty) {
			f.heard(func(deliver func(bus.Message)) func(bus.Message) {
				return func(m bus.Message) {
					for i, c := range m.Payload {
						if c == '\n' {
							m.Payload = m.Payload[:i]
							break
						}
					}
					deliver(m)
				}
			})
		}},
		{name: "cuts what is too large", caught: "payload/of_MaxPayload", spoil: func(f *faulty) {
			publish := f.publish
			f.publish = func(subject string, p []byte) error { return publish(subject, p[:min(len(p), f.MaxPayload())]) }
		}},
		{name: "calls a large payload refused", caught: "payload/of_MaxPayload", spoil: func(f *faulty) {
			publish := f.publish
			f.publish = func(subject string, p []byte) error {
				if len(p) > f.MaxPayload() {
					return bus.ErrRefused
				}
				return publish(subject, p)
			}
		}},
		{name: "keeps the publisher's payload", caught: "payload/is_the_publisher's", spoil: func(f *faulty) {
			publish := f.publish
			var subject string
			var held []byte
			f.publish = func(s string, p []byte) error {
				if len(p) != 1024 {
					return publish(s, p)
				}
				if held != nil {
					_ = publish(subject, held)
				}
				subject, held = s, p
				return nil
			}
		}},
		{name: "reuses the receiver's payload", caught: "payload/is_the_receiver's", spoil: func(f *faulty) {
			var buffer [1 << 16]byte
			f.heard(func(deliver func(bus.Message)) func(bus.Message) {
				return func(m bus.Message) {
					m.Payload = buffer[:copy(buffer[:], m.Payload)]
					deliver(m)
				}
			})
		}},
		{name: "takes any subject", caught: "payload/subjects", spoil: func(f *faulty) {
			publish := f.publish
			f.publish = func(subject string, p []byte) error {
				if err := publish(subject, p); errors.Is(err, bus.ErrRefused) || errors.Is(err, bus.ErrClosed) {
					return err
				}
				return nil
			}
		}},
		{name: "hears everything", caught: "subscribe/interest", spoil: func(f *faulty) {
			stats := f.stats
			f.stats = func() bus.Stats {
				s := stats()
				s.ReceivedMessages += uint64(time.Now().UnixNano() & 0xffff) // of others' rooms
				return s
			}
		}},
	}
}

// subscription is one that ends by a function.
type subscription func() error

func (s subscription) Unsubscribe() error { return s() }

func connectionMutants() []mutant {
	return []mutant{
		{name: "subscribes twice", caught: "subscribe/twice", spoil: func(f *faulty) {
			subscribe := f.subscribe
			f.subscribe = func(subject string, deliver func(bus.Message)) (bus.Subscription, error) {
				sub, err := subscribe(subject, deliver)
				if err != nil && !errors.Is(err, bus.ErrClosed) {
					return subscription(func() error { return nil }), nil
				}
				return sub, err
			}
		}},
		{name: "never unsubscribes", caught: "subscribe/unsubscribe$", spoil: func(f *faulty) {
			subscribe := f.subscribe
			f.subscribe = func(subject string, deliver func(bus.Message)) (bus.Subscription, error) {
				if _, err := subscribe(subject, deliver); err != nil {
					return nil, err
				}
				return subscription(func() error { return nil }), nil
			}
		}},
		{name: "subscribes behind the probe", caught: "subscribe/probed_is_in_force", spoil: func(f *faulty) {
			subscribe := f.subscribe
			f.subscribe = func(subject string, deliver func(bus.Message)) (bus.Subscription, error) {
				time.AfterFunc(2*time.Millisecond, func() { _, _ = subscribe(subject, deliver) })
				return subscription(func() error { return nil }), nil
			}
		}},
		{name: "has a goroutine for each subscription", caught: "subscribe/ten_thousand", spoil: func(f *faulty) {
			ended := make(chan struct{})
			subscribe, closeBus := f.subscribe, f.close
			f.subscribe = func(subject string, deliver func(bus.Message)) (bus.Subscription, error) {
				go func() { <-ended }()
				return subscribe(subject, deliver)
			}
			end := sync.OnceFunc(func() { close(ended) })
			f.close = func(ctx context.Context) error { end(); return closeBus(ctx) }
		}},
		{name: "leaves a goroutine", caught: "life/no_goroutine", spoil: func(f *faulty) {
			go func() { select {} }()
		}},
		{name: "counts too few bytes", caught: "life/stats", spoil: func(f *faulty) {
			stats := f.stats
			f.stats = func() bus.Stats { s := stats(); s.ReceivedBytes /= 2; return s }
		}},
		{name: "publishes when closed", caught: "life/closed", spoil: func(f *faulty) {
			publish := f.publish
			f.publish = func(subject string, p []byte) error {
				if err := publish(subject, p); !errors.Is(err, bus.ErrClosed) {
					return err
				}
				return nil
			}
		}},
		{name: "delivers when closed", caught: "life/nothing_is_delivered", spoil: func(f *faulty) {
			f.heard(func(deliver func(bus.Message)) func(bus.Message) {
				return func(m bus.Message) {
					if len(m.Payload) == 100 {
						time.AfterFunc(time.Millisecond, func() { deliver(m) })
						return
					}
					deliver(m)
				}
			})
		}},
		{name: "drops without a notice", caught: "slow", options: func(o *bus.Options) { o.Notify = nil }},
		{name: "drops without a count", caught: "slow", spoil: func(f *faulty) {
			stats := f.stats
			f.stats = func() bus.Stats { s := stats(); s.Dropped = 0; return s }
		}},
		{name: "does not tell of a disconnect", caught: "faults/killed_and", options: only(bus.Connected)},
		{name: "does not tell of a reconnect", caught: "faults/killed_and", options: only(bus.Disconnected)},
		{name: "publishes into the void", caught: "faults/killed_and", spoil: func(f *faulty) {
			publish := f.publish
			f.publish = func(subject string, p []byte) error {
				if err := publish(subject, p); !errors.Is(err, bus.ErrRefused) {
					return err
				}
				return nil
			}
		}},
		{name: "sends what it has refused", caught: "faults/killed_and", spoil: func(f *faulty) {
			publish := f.publish
			var held func() error
			f.publish = func(subject string, p []byte) error {
				if held != nil && held() == nil {
					held = nil
				}
				err := publish(subject, p)
				if errors.Is(err, bus.ErrRefused) {
					held = func() error { return publish(subject, p) }
				}
				return err
			}
		}},
		{name: "probes nothing", caught: "faults/paused", spoil: func(f *faulty) {
			f.probe = func(context.Context) error { return nil }
		}},
		{name: "closes for ever", caught: "faults/close_while_the_broker_is_paused", spoil: func(f *faulty) {
			closeBus := f.close
			f.close = func(context.Context) error { return closeBus(context.Background()) }
		}},
		{name: "confirms every lease", caught: "lease/not_while", spoil: func(f *faulty) {
			f.confirm = func(context.Context, string, time.Duration) error { return nil }
		}},
	}
}

// only lets notices of one kind pass.
func only(kind bus.NoticeKind) func(*bus.Options) {
	return func(o *bus.Options) {
		notify := o.Notify
		o.Notify = func(n bus.Notice) {
			if n.Kind == kind {
				notify(n)
			}
		}
	}
}

func logMutants() []mutant {
	// Each spoils a bus that has a log.
	logged := func(spoil func(*faulty)) func(*faulty) {
		return func(f *faulty) {
			if f.log != nil {
				spoil(f)
			}
		}
	}
	// heard spoils live copies only.
	heard := func(change func(*bus.Message) bool) func(*faulty) {
		return func(f *faulty) {
			f.heard(func(deliver func(bus.Message)) func(bus.Message) {
				return func(m bus.Message) {
					if m.Entry.Epoch == "" || change(&m) {
						deliver(m)
					}
				}
			})
		}
	}
	appended := func(change func(id *string, p *bus.Place)) func(*faulty) {
		return logged(func(f *faulty) {
			do := f.log.append
			f.log.append = func(ctx context.Context, subject, id string, payload []byte, keep bus.Retention) (bus.Place, error) {
				change(&id, &bus.Place{})
				place, err := do(ctx, subject, id, payload, keep)
				change(&id, &place)
				return place, err
			}
		})
	}
	read := func(change func(after *uint64, limit *int)) func(*faulty) {
		return logged(func(f *faulty) {
			do := f.log.read
			f.log.read = func(ctx context.Context, subject string, after uint64, limit int) ([]bus.Entry, bus.Tail, error) {
				change(&after, &limit)
				return do(ctx, subject, after, limit)
			}
		})
	}
	var again atomic.Int64
	lost, broken := every(100), every(100)
	return []mutant{
		{name: "loses a live copy", caught: "log/one_order", spoil: heard(func(*bus.Message) bool { return !lost() })},
		{name: "breaks the chain", caught: "log/one_order", spoil: heard(func(m *bus.Message) bool {
			if broken() {
				m.Entry.Prev--
			}
			return true
		})},
		{name: "hears only others' copies", caught: "log/is_as_published", spoil: heard(func(*bus.Message) bool { return false })},
		{name: "returns another place", caught: "log/one_order", spoil: appended(func(_ *string, p *bus.Place) { p.Offset++ })},
		{name: "forgets ids", caught: "log/an_id", spoil: appended(func(id *string, _ *bus.Place) { *id += fmt.Sprint(again.Add(1)) })},
		{name: "reads from the position on", caught: "log/read_by_pages", spoil: read(func(after *uint64, _ *int) { *after = max(*after, 1) - 1 })},
		{name: "reads without a limit", caught: "log/read_by_pages", spoil: read(func(_ *uint64, limit *int) { *limit = 1000 })},
		{name: "keeps nothing by time", caught: "log/kept_by_time", spoil: keep(func(k *bus.Retention) { k.TTL = 0 })},
		{name: "keeps too little", caught: "log/kept_by_size", spoil: keep(func(k *bus.Retention) { k.Size-- })},
		{name: "keeps too much", caught: "log/kept_by_a_smaller", spoil: keep(func(k *bus.Retention) { k.Size = 200 })},
		{name: "has one epoch for ever", caught: "faults/another_epoch", spoil: logged(func(f *faulty) {
			tails := f.log.tails
			f.log.tails = func(ctx context.Context, subjects []string) ([]bus.Tail, error) {
				got, err := tails(ctx, subjects)
				for i := range got {
					got[i].Epoch = "1"
				}
				return got, err
			}
			appendTo := f.log.append
			f.log.append = func(ctx context.Context, subject, id string, payload []byte, keep bus.Retention) (bus.Place, error) {
				place, err := appendTo(ctx, subject, id, payload, keep)
				place.Epoch = "1"
				return place, err
			}
		})},
		{name: "calls the unknown refused", caught: "faults/append_while_the_broker_is_paused", spoil: logged(func(f *faulty) {
			do := f.log.append
			f.log.append = func(ctx context.Context, subject, id string, payload []byte, keep bus.Retention) (bus.Place, error) {
				place, err := do(ctx, subject, id, payload, keep)
				if errors.Is(err, bus.ErrUnknown) {
					err = bus.ErrRefused
				}
				return place, err
			}
		})},
		{name: "tries again under another id", caught: "faults/append_while_the_broker_is_paused", spoil: logged(func(f *faulty) {
			do := f.log.append
			f.log.append = func(ctx context.Context, subject, id string, payload []byte, keep bus.Retention) (bus.Place, error) {
				first, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
				defer cancel()
				if place, err := do(first, subject, id, payload, keep); err == nil {
					return place, nil
				}
				return do(ctx, subject, id+"-2", payload, keep)
			}
		})},
	}
}

// keep changes what is asked to be kept.
func keep(change func(*bus.Retention)) func(*faulty) {
	return func(f *faulty) {
		if f.log == nil {
			return
		}
		do := f.log.append
		f.log.append = func(ctx context.Context, subject, id string, payload []byte, k bus.Retention) (bus.Place, error) {
			change(&k)
			return do(ctx, subject, id, payload, k)
		}
	}
}
