package conn_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/wire"
)

const deflateOffer = "Sec-WebSocket-Extensions: permessage-deflate"

func TestHostileFrames(t *testing.T) {
	for _, tc := range []struct {
		name string
		sent []byte
		want int
	}{
		{"not masked", []byte{0x81, 0x01, 'x'}, 1002},
		{"reserved bit", frame(fin|0x20|1, nil), 1002},
		{"unknown opcode", frame(fin|5, nil), 1002},
		{"fragmented ping", frame(9, nil), 1002},
		{"long ping", frame(fin|9, make([]byte, 126)), 1002},
		{"continuation of nothing", frame(0, nil), 1002},
		{"message in a message", append(frame(1, nil), text("x")...), 1002},
		{"text not UTF-8", text("\xff"), 1007},
		{"fragment not UTF-8", frame(1, []byte("\xed\xa0")), 1007},
		{"too large", text(strings.Repeat("x", 1001)), 1009},
		{"too large in pieces", append(frame(1, make([]byte, 600)), frame(fin|0, make([]byte, 401))...), 1009},
		{"announced too large", []byte{0x82, 0xff, 0x7f, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, 1009},
		{"bomb", frame(fin|rsv1|2, bomb()), 1009},
		{"malformed deflate", frame(fin|rsv1|2, []byte{0xff, 0xff}), 1007},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := serve(t, options{deflate: true, Config: conn.Config{MaxMessage: 1000}})
			c, s := srv.connect(t, deflateOffer)
			c.send(text("before"), tc.sent)
			c.want(fin|1, "before")
			reason := c.wantClose(tc.want)
			s.wantClosed(t, tc.want, reason)
			// Each byte in a segment of its own, as far as the kernel lets it.
			c, s = srv.connect(t, deflateOffer)
			for _, b := range tc.sent[:min(len(tc.sent), 40)] {
				c.send([]byte{b})
			}
			c.send(tc.sent[min(len(tc.sent), 40):])
			s.wantClosed(t, tc.want, c.wantClose(tc.want))
		})
	}
}

// TestCompressionNotNegotiated: a compressed frame is a protocol error then.
func TestCompressionNotNegotiated(t *testing.T) {
	srv := serve(t, options{deflate: true})
	c, _ := srv.connect(t)
	c.send(frame(fin|rsv1|1, nil))
	c.wantClose(1002)
}

func bomb() []byte {
	var buf bytes.Buffer
	w, _ := flate.NewWriter(&buf, 9)
	_, _ = w.Write(make([]byte, 500_000))
	_ = w.Flush()
	return bytes.TrimSuffix(buf.Bytes(), []byte("\x00\x00\xff\xff"))
}

// TestFloods: control frames and fragments beyond a burst and a rate close
// the connection.
func TestFloods(t *testing.T) {
	const burst = 16_384
	for _, tc := range []struct {
		name  string
		first []byte
		unit  []byte
	}{
		{"pongs", nil, frame(fin|10, nil)},
		{"pings", nil, frame(fin|9, nil)},
		{"empty fragments", frame(1, nil), frame(0, nil)},
		{"one byte fragments", frame(2, nil), frame(0, []byte("x"))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clock := newClock() // stands still: the burst is all there is
			srv := serve(t, options{Config: conn.Config{Now: clock.Now}})
			c, s := srv.connect(t)
			answers := make(chan int, 1)
			go func() { // a ping flood is answered up to its end
				n := 0
				for {
					first, payload, err := c.read()
					if err != nil || first == fin|8 && string(payload[:2]) != "\x03\xf0" {
						n = -1
					}
					if first != fin|10 {
						answers <- n
						return
					}
					n++
				}
			}()
			if tc.first != nil {
				c.send(tc.first)
			}
			c.send(bytes.Repeat(tc.unit, burst))
			if len(s.closed) > 0 {
				t.Fatal("closed within the burst")
			}
			c.send(bytes.Repeat(tc.unit, 2))
			s.wantClosed(t, wire.CodePolicy, "too many frames")
			want := 0
			if tc.name == "pings" {
				want = burst
			}
			if n := get(t, answers); n != want {
				t.Errorf("%d pongs, want %d and a close frame", n, want)
			}
		})
	}
}

// TestPermittedRate: what a peer may send in a second it may send each second.
func TestPermittedRate(t *testing.T) {
	clock := newClock()
	srv := serve(t, options{Config: conn.Config{Now: clock.Now}})
	c, s := srv.connect(t)
	for i := range 10 {
		c.send(bytes.Repeat(frame(fin|10, nil), 4000), text(fmt.Sprint(i)))
		c.want(fin|1, fmt.Sprint(i))
		clock.Advance(time.Second)
	}
	if !s.Open() {
		t.Error("closed within the rate")
	}
}
