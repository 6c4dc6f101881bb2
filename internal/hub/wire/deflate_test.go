package wire_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/chenxilol/gohub/internal/hub/wire"
)

// deflated returns payload as a compressing client sends it.
func deflated(t testing.TB, level int, payload []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := flate.NewWriter(&buf, level)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(payload)
	_ = w.Flush()
	return bytes.TrimSuffix(buf.Bytes(), []byte("\x00\x00\xff\xff"))
}

func TestInflatedMessages(t *testing.T) {
	cfg := &wire.Config{MaxMessage: 1000, Inflater: new(wire.Inflater)}
	zeros := make([]byte, 1000)
	hello := deflated(t, 6, []byte("hello, hello, hello"))
	for _, tc := range []struct {
		name   string
		stream []byte
		want   int
		size   int
	}{
		{"empty", masked(fin|rsv1|2, []byte{0}), 0, 0},
		{"no byte at all", masked(fin|rsv1|2, nil), 1007, 0},
		{"one frame", masked(fin|rsv1|1, hello), 0, 19},
		{"fragments", join(masked(rsv1|1, hello[:3]), masked(0, nil), masked(fin|0, hello[3:])), 0, 19},
		{"plain next to compressed", masked(fin|1, []byte("plain")), 0, 5},
		{"zeros at the limit", masked(fin|rsv1|2, deflated(t, 9, zeros)), 0, 1000},
		{"zeros over the limit", masked(fin|rsv1|2, deflated(t, 9, append(zeros, 0))), 1009, 0},
		{"noise at the limit", masked(fin|rsv1|2, deflated(t, 1, noise(1000))), 0, 1000},
		{"noise over the limit", masked(fin|rsv1|2, deflated(t, 1, noise(1001))), 1009, 0},
		{"longer than any encoding of the limit", maskedHeader(fin|rsv1|2, 1000+125+65, [4]byte{}), 1009, 0},
		{"fixed codes at the limit", masked(fin|rsv1|2, fixedCodes(bytes.Repeat([]byte{0xff}, 1000))), 0, 1000},
		{"truncated", masked(fin|rsv1|1, deflated(t, 6, noise(300))[:200]), 1007, 0},
		{"final block", masked(fin|rsv1|2, []byte{0x01, 0x01, 0x00, 0xfe, 0xff, 'x'}), 0, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rec, err := parse(t, cfg, true, tc.stream)
			if code(t, err) != tc.want {
				t.Fatalf("got %v, want %d", err, tc.want)
			}
			if tc.want == 0 && len(rec.events) != 1 {
				t.Fatalf("got %q", rec.events)
			}
			if len(tc.stream) < 100 {
				_, _ = everyCut(t, cfg, true, tc.stream)
			}
			var kept keeper
			if _, err := wire.NewParser(cfg).Feed(bytes.Clone(tc.stream), true, &kept); err == nil && len(kept[0]) != tc.size {
				t.Errorf("inflated to %d bytes, want %d", len(kept[0]), tc.size)
			}
		})
	}
}

// fixedCodes deflates bytes of 144 and more with the fixed Huffman codes, 9
// bits each: the longest that a working compressor makes of a byte.
func fixedCodes(payload []byte) []byte {
	var out []byte
	var acc uint32
	bits := 0
	put := func(v uint32, n int) { // least significant bit first
		acc |= v << bits
		for bits += n; bits >= 8; bits -= 8 {
			out = append(out, byte(acc))
			acc >>= 8
		}
	}
	put(0b010, 3) // not final, fixed codes
	for _, b := range payload {
		huffman := 0b110010000 + uint32(b) - 144
		for i := 8; i >= 0; i-- {
			put(huffman>>i&1, 1)
		}
	}
	put(0, 7) // end of block
	put(0, 3) // an empty stored block begins: its length is the tail left out
	if bits > 0 {
		put(0, 8-bits)
	}
	return out
}

// TestBombIsCheap: what a bomb would become is not made.
func TestBombIsCheap(t *testing.T) {
	bomb := deflated(t, 9, make([]byte, 8<<20))
	inflater := new(wire.Inflater)
	n := allocated(func() {
		if out, err := inflater.Inflate(bomb, 1<<16); code(t, err) != 1009 {
			t.Errorf("%d bytes, %v", len(out), err)
		}
	})
	if n > 1<<20 {
		t.Errorf("a bomb of 8 MiB makes the inflater allocate %d bytes", n)
	}
}

func TestDeflaterRoundTrip(t *testing.T) {
	deflater, cfg := new(wire.Deflater), plain()
	for _, n := range []int{64, 1000, 70_000, 1 << 20} {
		text := []byte(strings.Repeat(`{"message_type":"room_message","data":{}}`, n/41+1)[:n])
		frame := deflater.Frame(wire.Text, text)
		if len(frame) == 0 || len(frame) >= n {
			t.Fatalf("%d bytes became %d", n, len(frame))
		}
		var kept keeper
		payload := frame[wire.HeaderSize(framePayload(frame)):]
		if _, err := wire.NewParser(cfg).Feed(masked(frame[0], payload), true, &kept); err != nil || !bytes.Equal(kept[0], text) {
			t.Fatalf("%d bytes did not come back: %v", n, err)
		}
	}
	for _, short := range [][]byte{nil, []byte("x"), noise(500)} {
		if frame := deflater.Frame(wire.Binary, short); frame != nil {
			t.Errorf("%d bytes that do not compress became a frame of %d", len(short), len(frame))
		}
	}
}

func framePayload(frame []byte) int {
	for _, size := range []int{2, 4, 10} {
		if n := len(frame) - size; n >= 0 && wire.HeaderSize(n) == size {
			return n
		}
	}
	return 0
}

func TestDeflaterIsConcurrent(t *testing.T) {
	deflater, inflater := new(wire.Deflater), new(wire.Inflater)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			text := bytes.Repeat([]byte(fmt.Sprintf("writer %d ", i)), 100)
			for range 50 {
				frame := deflater.Frame(wire.Text, text)
				out, err := inflater.Inflate(frame[wire.HeaderSize(framePayload(frame)):], len(text))
				if err != nil || !bytes.Equal(out, text) {
					t.Errorf("writer %d: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestGorillaClient talks to gorilla's codec, both ways, plain and compressed.
func TestGorillaClient(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	client := dialOver(t, theirs, ours)
	defer client.Close()
	client.EnableWriteCompression(true)

	texts := []string{"", "short", strings.Repeat("compress me ", 1000), string(bytes.Repeat([]byte("€"), 70_000))}
	go func() {
		for _, text := range texts {
			_ = client.WriteMessage(websocket.TextMessage, []byte(text))
		}
	}()
	var kept keeper
	p, buf := wire.NewParser(plain()), make([]byte, 4096)
	for len(kept) < len(texts) {
		n, err := ours.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Feed(buf[:n], true, &kept); err != nil {
			t.Fatal(err)
		}
	}
	deflater := new(wire.Deflater)
	go func() {
		for _, payload := range kept {
			frame := deflater.Frame(wire.Text, payload)
			if frame == nil {
				frame = wire.Frame(wire.Text, payload)
			}
			_, _ = ours.Write(frame)
		}
		_, _ = ours.Write(wire.CloseFrame(4008, "too slow"))
	}()
	for i, text := range texts {
		_, got, err := client.ReadMessage()
		if err != nil || string(got) != text {
			t.Fatalf("text %d: %d bytes of %d came back, %v", i, len(got), len(text), err)
		}
	}
	go func() { _, _ = ours.Read(buf) }() // the client's answer
	if _, _, err := client.ReadMessage(); !websocket.IsCloseError(err, 4008) {
		t.Errorf("got %v", err)
	}
}

// dialOver shakes hands as a server that accepts compression would.
func dialOver(t *testing.T, theirs, ours net.Conn) *websocket.Conn {
	t.Helper()
	go func() {
		buf, n := make([]byte, 4096), 0
		for !bytes.Contains(buf[:n], []byte("\r\n\r\n")) {
			m, err := ours.Read(buf[n:])
			if err != nil {
				return
			}
			n += m
		}
		_, key, _ := bytes.Cut(buf[:n], []byte("Sec-WebSocket-Key: "))
		key, _, _ = bytes.Cut(key, []byte("\r\n"))
		_, _ = fmt.Fprintf(ours, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n\r\n", accept(key))
	}()
	d := websocket.Dialer{EnableCompression: true, NetDial: func(string, string) (net.Conn, error) { return theirs, nil }}
	client, _, err := d.Dial("ws://pipe/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return client
}
