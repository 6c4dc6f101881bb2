package memory_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/memory"
)

// In the tests of this file time is faked: synctest.Wait returns when every
// message has been delivered.

// peer is a node that keeps what it is told. It is read after synctest.Wait.
type peer struct {
	*memory.Bus
	heard []string
	told  []bus.Notice
}

var logged = bus.Retention{Size: 100}

// join connects a node that has subscribed to subject "s" and has a log.
func join(t *testing.T, broker *memory.Broker, name string) *peer {
	t.Helper()
	p := &peer{}
	p.Bus = connect(t, broker, bus.Options{
		Node: name, History: logged, Notify: func(n bus.Notice) { p.told = append(p.told, n) },
	})
	t.Cleanup(func() { shut(t, p) })
	if _, err := p.Subscribe("s", func(m bus.Message) { p.heard = append(p.heard, string(m.Payload)) }); err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	return p
}

func shut(t *testing.T, p *peer) {
	t.Helper()
	if err := p.Close(context.Background()); err != nil {
		t.Errorf("close: %v", err)
	}
}

// say publishes on "s", and checks that a node refuses it or not.
func (p *peer) say(t *testing.T, text string, want error) {
	t.Helper()
	if err := p.Publish("s", []byte(text)); !errors.Is(err, want) {
		t.Errorf("publish %q: %v, want %v", text, err, want)
	}
}

// append adds to the log of "s" within a second.
func (p *peer) append(id string) (bus.Place, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return p.Log().Append(ctx, "s", id, []byte(id), logged)
}

func (p *peer) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if !slices.Equal(p.heard, want) {
		t.Errorf("heard %q, want %q", p.heard, want)
	}
	p.heard = nil
}

func (p *peer) expectNotices(t *testing.T, want ...bus.NoticeKind) {
	t.Helper()
	synctest.Wait()
	var got []bus.NoticeKind
	for _, n := range p.told {
		got = append(got, n.Kind)
	}
	if !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", p.told, want)
	}
	p.told = nil
}

func TestCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := memory.NewBroker()
		a, b, c := join(t, broker, "a"), join(t, broker, "b"), join(t, broker, "c")
		broker.Cut("b")
		a.say(t, "1", nil)
		b.say(t, "2", bus.ErrRefused)
		b.expectNotices(t, bus.Disconnected)
		b.expect(t)
		c.expect(t, "1")
		late := join(t, broker, "b")
		late.say(t, "3", bus.ErrRefused)
		if _, err := b.append("4"); !errors.Is(err, bus.ErrRefused) {
			t.Errorf("append: %v, want ErrRefused", err)
		}
		broker.Heal("b")
		b.expectNotices(t, bus.Connected)
		late.expectNotices(t, bus.Connected)
		if b.Stats().Reconnects != 1 || late.Stats().Reconnects != 0 || a.Stats().Reconnects != 0 {
			t.Error("only the bus that was cut off has reconnected")
		}
		b.say(t, "5", nil)
		for _, p := range []*peer{a, c, late} {
			p.expect(t, "5")
		}
		a.expectNotices(t)
	})
}

func TestPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := memory.NewBroker()
		a, b, c, d := join(t, broker, "a"), join(t, broker, "b"), join(t, broker, "c"), join(t, broker, "d")
		broker.Partition([]string{"a"}, []string{"c", "d"})
		b.say(t, "1", nil)
		c.say(t, "2", nil)
		a.expect(t, "1")
		d.expect(t, "2")
		b.expect(t)
		c.expect(t)
		if _, err := a.append("3"); err != nil {
			t.Errorf("append on the side of the majority: %v", err)
		}
		if _, err := c.append("4"); !errors.Is(err, bus.ErrRefused) {
			t.Errorf("append on the other side: %v, want ErrRefused", err)
		}
		if _, _, err := c.Log().Read(t.Context(), "s", 0, 1); !errors.Is(err, bus.ErrRefused) {
			t.Errorf("read on the other side: %v, want ErrRefused", err)
		}
		if err := a.Leaser().Confirm(t.Context(), "a", time.Second); err != nil {
			t.Errorf("confirm on the side of the majority: %v", err)
		}
		if err := c.Leaser().Confirm(t.Context(), "c", time.Second); err == nil {
			t.Error("confirmed on the other side")
		}
		if err := c.Probe(t.Context()); err != nil {
			t.Errorf("probe on the other side, which has a broker: %v", err)
		}
		a.expect(t, "3")
		d.expect(t)
		broker.Partition()
		a.say(t, "5", nil)
		for _, p := range []*peer{c, d} {
			p.expect(t, "5")
			p.expectNotices(t) // nobody tells of a partition
		}
		b.expect(t, "3", "5")
	})
}

func TestDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := memory.NewBroker()
		a, b, c := join(t, broker, "a"), join(t, broker, "b"), join(t, broker, "c")
		broker.Drop(func(node string, m bus.Message) bool {
			return node == "b" && (string(m.Payload) == "2" || m.Entry.Epoch != "")
		})
		for _, text := range []string{"1", "2", "3"} {
			a.say(t, text, nil)
		}
		if _, err := a.append("4"); err != nil {
			t.Errorf("append: %v", err)
		}
		b.expect(t, "1", "3")
		c.expect(t, "1", "2", "3", "4")
		if n := b.Stats().Dropped; n != 0 {
			t.Errorf("%d messages are counted as dropped; the loss is to be silent", n)
		}
		b.expectNotices(t)
		broker.Drop(nil)
		a.say(t, "2", nil)
		b.expect(t, "2")
	})
}

// What a paused broker was sent happens when it goes on, in order, or is lost
// when it is stopped.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := memory.NewBroker()
		broker.SetQueueBytes(10_000)
		a, b := join(t, broker, "a"), join(t, broker, "b")
		broker.Pause()
		a.say(t, "1", nil)
		if _, err := a.append("2"); !errors.Is(err, bus.ErrUnknown) {
			t.Errorf("append: %v, want ErrUnknown", err)
		}
		a.say(t, "3", nil)
		b.expect(t)
		if err := a.Publish("s", make([]byte, 10_000)); !errors.Is(err, bus.ErrRefused) {
			t.Errorf("publish more than a paused broker takes: %v, want ErrRefused", err)
		}
		broker.Resume()
		b.expect(t, "1", "2", "3")
		a.expect(t, "2")

		broker.Pause()
		a.say(t, "4", nil)
		broker.Stop()
		broker.Resume()
		broker.Start()
		b.expect(t)
		b.expectNotices(t, bus.Disconnected, bus.Connected)
	})
}

// Close waits for a paused broker.
func TestClosePaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := memory.NewBroker()
		a, b := join(t, broker, "a"), join(t, broker, "b")
		broker.Pause()
		a.say(t, "1", nil)
		go func() {
			time.Sleep(time.Minute) // of faked time
			broker.Resume()
		}()
		shut(t, a)
		b.expect(t, "1")
	})
}

// A slow node is told where it has lost messages: before what came later.
func TestQueueBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := memory.NewBroker()
		broker.SetQueueBytes(3 * (1 + 128))
		var events []string
		open := make(chan struct{})
		b := connect(t, broker, bus.Options{Notify: func(n bus.Notice) {
			if n.Kind != bus.Dropped || n.Err == nil {
				t.Errorf("told %+v", n)
			}
			events = append(events, n.Subjects...)
		}})
		defer shut(t, &peer{Bus: b})
		for _, subject := range []string{"x", "y"} {
			if _, err := b.Subscribe(subject, func(m bus.Message) {
				<-open
				events = append(events, string(m.Payload))
			}); err != nil {
				t.Fatalf("subscribe: %v", err)
			}
		}
		a := join(t, broker, "a")
		publish := func(subject, text string) {
			if err := a.Publish(subject, []byte(text)); err != nil {
				t.Errorf("publish: %v", err)
			}
		}
		for _, text := range []string{"1", "2", "3", "4", "5"} {
			publish("x", text)
		}
		publish("y", "6")
		publish("y", "7")
		open <- struct{}{} // for "1"
		synctest.Wait()
		publish("x", "8")
		publish("x", "9")
		close(open)
		synctest.Wait()
		if want := []string{"1", "2", "3", "x", "y", "8", "x"}; !slices.Equal(events, want) {
			t.Errorf("heard and was told %q, want %q", events, want)
		}
		if s := b.Stats(); s.Dropped != 5 || s.ReceivedMessages != 4 || s.ReceivedBytes != 4 {
			t.Errorf("Stats are %+v", s)
		}
	})
}

func TestNoEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := memory.NewBroker()
		a, twin := join(t, broker, "a"), join(t, broker, "a")
		a.say(t, "1", nil)
		a.expect(t)
		twin.expect(t, "1") // the same name does not make it the same node
	})
}
