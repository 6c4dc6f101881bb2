package room_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/room"
)

// TestExclusionAndOrder publishes from members in turn, in a room that its
// publishers serve themselves and in one that is served by a goroutine.
func TestExclusionAndOrder(t *testing.T) {
	const messages = 200
	for _, size := range []int{2, 3, 16, 17, 40} {
		t.Run(fmt.Sprint(size, " members"), func(t *testing.T) {
			srv := serve(t, options{})
			var members []*peer
			for i := range size {
				p := srv.dial(t, fmt.Sprint("m", i))
				p.join(t, "r", "")
				members = append(members, p)
			}
			outsider := srv.dial(t, "outsider")
			r := srv.room(t, "r")
			want := make([][]string, size)
			for i := range messages {
				sender, excluded := i%size, -1
				m := from(members[sender], fmt.Sprint(i))
				if i%3 == 0 {
					excluded = (i + 1) % size
					m.Exclude = []*conn.Conn{&members[excluded].session.Conn, &outsider.session.Conn}
				}
				for j := range members {
					if j != sender && j != excluded {
						want[j] = append(want[j], fmt.Sprint(i))
					}
				}
				if !r.Broadcast(m) {
					t.Fatal("the room is gone")
				}
			}
			for i, p := range members {
				for _, text := range want[i] {
					if got := p.next(t); got != text {
						t.Fatalf("%s got %s, want %s", p.id, got, text)
					}
				}
				p.expect(t)
			}
			outsider.expect(t)
		})
	}
}

// TestComingsAndGoingsAmidAPass holds a pass at one member, changes the
// membership, and lets it go on.
func TestComingsAndGoingsAmidAPass(t *testing.T) {
	for _, idle := range []int{0, 20} {
		t.Run(fmt.Sprint(idle, " idle members"), func(t *testing.T) {
			srv := serve(t, options{})
			first, stuck, leaver := srv.dial(t, "first"), srv.dial(t, "stuck"), srv.dial(t, "leaver")
			second, third := srv.dial(t, "second"), srv.dial(t, "third")
			first.join(t, "r", "")
			stuck.join(t, "r", "")
			for i := range idle {
				srv.dial(t, fmt.Sprint("idle", i)).join(t, "r", "")
			}
			leaving, _ := leaver.join(t, "r", "")
			r := srv.room(t, "r")

			stuck.Lock()
			done := background(func() { r.Broadcast(plain("1")) })
			if got := first.next(t); got != "1" {
				t.Fatalf("got %q", got)
			}
			leaver.leave(leaving)
			second.join(t, "r", "")
			r.Broadcast(from(first, "2"))
			third.join(t, "r", "")
			r.Broadcast(from(second, "3"))
			again, _ := leaver.join(t, "r", "")
			r.Broadcast(plain("4"))
			leaver.leave(again)
			stuck.Unlock()
			get(t, done)
			waitFor(t, srv, "5", r)

			first.expect(t, "3", "4", "5")
			stuck.expect(t, "1", "2", "3", "4", "5")
			second.expect(t, "2", "4", "5")
			third.expect(t, "3", "4", "5")
			leaver.expect(t)
		})
	}
}

// waitFor publishes text, and returns when it and all before it has been
// written to everybody: a last member has got it.
func waitFor(t *testing.T, srv *server, text string, r *room.Room) {
	t.Helper()
	last := srv.dial(t, "last")
	m, _ := last.join(t, r.ID(), "")
	r.Broadcast(plain(text))
	if got := last.next(t); got != text {
		t.Fatalf("got %q, want %q", got, text)
	}
	last.leave(m)
}

// TestExpelAmidAPass deletes a room while a message is on its way.
func TestExpelAmidAPass(t *testing.T) {
	srv := serve(t, options{})
	first, stuck, last := srv.dial(t, "first"), srv.dial(t, "stuck"), srv.dial(t, "last")
	for _, p := range []*peer{first, stuck, last} {
		p.join(t, "r", "")
	}
	r := srv.room(t, "r")
	stuck.Lock()
	done := background(func() { r.Broadcast(plain("1")) })
	if got := first.next(t); got != "1" {
		t.Fatalf("got %q", got)
	}
	r.Broadcast(plain("2"))
	_, members, err := srv.rooms.Delete("r")
	if err != nil || len(members) != 3 {
		t.Fatalf("%d members, %v", len(members), err)
	}
	for _, m := range members {
		if s := m.Owner.(*session); s != stuck.session {
			s.Lock()
			m.Expel()
			s.Unlock()
		} else {
			m.Expel() // its lock is held
		}
	}
	if r.Broadcast(plain("3")) {
		t.Error("a deleted room took a message")
	}
	if _, ok := publish(r, "3"); ok {
		t.Error("a deleted room took a message")
	}
	stuck.Unlock()
	get(t, done)
	for _, p := range []*peer{first, stuck, last} {
		p.expect(t)
	}
}

func TestMuted(t *testing.T) {
	srv := serve(t, options{})
	a, b := srv.dial(t, "a"), srv.dial(t, "b")
	a.join(t, "r", "")
	m, _ := b.join(t, "r", "")
	r := srv.room(t, "r")
	for i, muted := range []bool{false, true, true, false} {
		b.Lock()
		m.Muted = muted
		b.Unlock()
		r.Broadcast(plain(fmt.Sprint(i)))
	}
	a.expect(t, "0", "1", "2", "3")
	b.expect(t, "0", "3")
	if got := srv.fan.Delivered.Load(); got != 6 {
		t.Errorf("%d deliveries counted, want 6", got)
	}
}

// TestVariants has members that get the same batch in different forms.
func TestVariants(t *testing.T) {
	srv := serve(t, options{})
	long := strings.Repeat("abcdefgh", 100)
	first, stuck := srv.connect(t, "first", true), srv.dial(t, "stuck")
	first.join(t, "r", "")
	stuck.join(t, "r", "")
	var members []*peer
	for i := range 8 {
		p := srv.connect(t, fmt.Sprint("m", i), i&1 != 0)
		if p.Deflate() != (i&1 != 0) {
			t.Fatalf("compression is %v", p.Deflate())
		}
		p.v1 = i&2 != 0
		p.join(t, "r", "")
		members = append(members, p)
	}
	r := srv.room(t, "r")
	notice := plain("a notice")
	notice.V1Only = true

	r.Broadcast(plain("alone " + long))
	alone := plain("a notice alone")
	alone.V1Only = true
	r.Broadcast(alone)
	stuck.Lock()
	done := background(func() { r.Broadcast(plain("0")) })
	for _, want := range []string{"alone " + long, "0"} {
		if got := first.next(t); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	r.Broadcast(plain("1 " + long))
	r.Broadcast(notice)
	r.Broadcast(from(members[3], "2 "+long))
	stuck.Unlock()
	get(t, done)
	waitFor(t, srv, "3", r)

	first.expect(t, "1 "+long, "2 "+long, "3")
	for i, p := range members {
		want := []string{"alone " + long, "a notice alone", "0", "1 " + long, "a notice", "2 " + long, "3"}
		if !p.v1 {
			want = slices.DeleteFunc(want, func(s string) bool { return strings.HasPrefix(s, "a notice") })
		}
		if i == 3 {
			want = slices.DeleteFunc(want, func(s string) bool { return strings.HasPrefix(s, "2 ") })
		}
		p.expect(t, want...)
	}
}

func TestMessageFor(t *testing.T) {
	srv := serve(t, options{})
	packed, unpacked := srv.connect(t, "packed", true), srv.dial(t, "unpacked")
	for _, size := range []int{0, 1, 125, 126, 127, 128, 1000, 1<<16 - 1, 1 << 16, 1 << 17} {
		m := plain(strings.Repeat("x", size))
		if got := m.For(&unpacked.session.Conn, &srv.fan.Deflater); string(got) != string(m.Frame) {
			t.Errorf("%d bytes: a plain connection gets another frame", size)
		}
		got := m.For(&packed.session.Conn, &srv.fan.Deflater)
		if short := len(got) < len(m.Frame); short != (size >= 128) {
			t.Errorf("%d bytes: compressed is %v", size, short)
		}
		if err := packed.Write(got); err != nil {
			t.Fatal(err)
		}
		if got := packed.next(t); len(got) != size {
			t.Errorf("%d bytes of %d arrive", len(got), size)
		}
	}
	noise := plain(strings.Repeat("x", 4) + string(binaryNoise(500)))
	if got := noise.For(&packed.session.Conn, &srv.fan.Deflater); string(got) != string(noise.Frame) {
		t.Error("what cannot be compressed is not sent as it is")
	}
}

// binaryNoise returns bytes that do not compress.
func binaryNoise(n int) []byte {
	b := make([]byte, n)
	x := uint64(1)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x >> 32)
	}
	return b
}

// TestBatchIsOneWrite publishes behind a pass that is held, and counts what
// the members' sockets are written.
func TestBatchIsOneWrite(t *testing.T) {
	srv := serve(t, options{counted: true})
	first, stuck, sender := srv.dial(t, "first"), srv.dial(t, "stuck"), srv.dial(t, "sender")
	for _, p := range []*peer{first, stuck, sender} {
		p.join(t, "r", "")
	}
	writes := func(p *peer) int64 {
		n, _ := srv.writes.Load(p.addr)
		return n.(interface{ Load() int64 }).Load()
	}
	r := srv.room(t, "r")
	stuck.Lock()
	done := background(func() { r.Broadcast(plain("begin")) })
	if got := first.next(t); got != "begin" {
		t.Fatalf("got %q", got)
	}
	before := map[*peer]int64{first: writes(first), stuck: writes(stuck), sender: writes(sender)}
	for i := range 20 {
		m := plain(fmt.Sprint(i))
		if i%2 == 0 {
			m = from(sender, fmt.Sprint(i))
		}
		r.Broadcast(m)
	}
	passes := srv.fan.Passes.Load()
	stuck.Unlock()
	get(t, done)
	for p, more := range map[*peer]int64{first: 1, stuck: 2, sender: 2} {
		want := 20
		if p == stuck {
			want++
		}
		if p == sender {
			want = 1 + 10
		}
		for range want {
			p.next(t)
		}
		if got := writes(p) - before[p]; got > more {
			t.Errorf("%s: %d writes, want %d", p.id, got, more)
		}
	}
	if got := srv.fan.Passes.Load() - passes; got != 2 {
		t.Errorf("%d passes, want 2", got)
	}
}
