package wire_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/bench/internal/wire"
)

func TestFramesRoundTripInOneRead(t *testing.T) {
	sizes := []int{0, 1, 7, 8, 125, 126, 127, 65535, 65536}
	for _, side := range []func([]byte, byte, []byte) []byte{wire.AppendClient, wire.AppendServer} {
		var stream []byte
		var want [][]byte
		for i, n := range sizes {
			p := bytes.Repeat([]byte{byte('a' + i)}, n)
			want = append(want, p)
			stream = side(stream, wire.OpText, p)
		}
		for i := 0; len(stream) > 0; i++ {
			f, n, err := wire.Next(stream)
			if err != nil || n == 0 {
				t.Fatalf("frame %d: size %d, %v", i, n, err)
			}
			if !f.Fin || f.Op != wire.OpText || f.Compressed || !bytes.Equal(f.Payload, want[i]) {
				t.Fatalf("frame %d of %d bytes came back as %d bytes, op %d", i, len(want[i]), len(f.Payload), f.Op)
			}
			stream = stream[n:]
		}
	}
}

func TestNextWaitsForTheWholeFrame(t *testing.T) {
	for _, n := range []int{0, 5, 126, 70000} {
		frame := wire.AppendClient(nil, wire.OpBinary, make([]byte, n))
		for cut := range min(len(frame), 64) {
			if _, size, err := wire.Next(slices.Clone(frame[:cut])); size != 0 || err != nil {
				t.Fatalf("%d of %d bytes: size %d, %v", cut, len(frame), size, err)
			}
		}
	}
	if _, _, err := wire.Next([]byte{0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 0}); err == nil {
		t.Fatal("a frame of 2^63 bytes was accepted")
	}
}

func TestHandshake(t *testing.T) {
	req := wire.Request("h:1", "/ws", "gohub.v1", true)
	if !strings.Contains(string(req), "Sec-WebSocket-Protocol: gohub.v1\r\n") {
		t.Fatalf("no subprotocol in %q", req)
	}
	resp, n, err := wire.Upgrade(append(slices.Clone(req), "tail"...))
	if err != nil || n != len(req) {
		t.Fatalf("Upgrade took %d of %d bytes, %v", n, len(req), err)
	}
	r, n, err := wire.ParseResponse(resp)
	if err != nil || n != len(resp) || r.Deflate || r.Subprotocol != "" {
		t.Fatalf("ParseResponse: %+v, %d of %d bytes, %v", r, n, len(resp), err)
	}
	for _, bad := range []string{"HTTP/1.1 503 busy\r\n\r\n", "HTTP/1.1 101 ok\r\nSec-WebSocket-Accept: x\r\n\r\n"} {
		if _, _, err := wire.ParseResponse([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	if _, n, err := wire.ParseResponse(resp[:len(resp)-1]); n != 0 || err != nil {
		t.Fatalf("an incomplete response gave size %d, %v", n, err)
	}
}

func TestMarkers(t *testing.T) {
	want := []wire.Marker{{Sender: 7, Seq: 1, Sent: 12345678901}, {Sender: 65535, Seq: 1<<32 - 1, Sent: 1}}
	b := []byte(`{"a":"@T not one","b":"`)
	for _, m := range want {
		start := len(b)
		b = m.Append(b, 128)
		if len(b)-start != 128 {
			t.Fatalf("payload of %d bytes, want 128", len(b)-start)
		}
		b = append(b, '\n')
	}
	b = append(b, "@T0001"...) // cut short
	var got []wire.Marker
	wire.EachMarker(b, func(m wire.Marker) { got = append(got, m) })
	if !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}
