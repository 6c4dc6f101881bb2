package dispatch_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/internal/hub/dispatch"
	"github.com/chenxilol/gohub/pkg/hub"
)

// header returns the header of a final, unmasked text frame.
func header(n int) string {
	switch {
	case n < 126:
		return string([]byte{0x81, byte(n)})
	case n < 1<<16:
		return string(binary.BigEndian.AppendUint16([]byte{0x81, 126}, uint16(n)))
	default:
		return string(binary.BigEndian.AppendUint64([]byte{0x81, 127}, uint64(n)))
	}
}

type frameCase struct {
	name, kind          string
	data                []byte
	millis, id, request int64
	want                string // the payload
}

func frameCases() []frameCase {
	cases := []frameCase{
		{"plain", "pong", []byte(`{"a":1}`), 1700000000000, 0, 0, `{"message_type":"pong","data":{"a":1},"timestamp":1700000000000,"message_id":0}`},
		{"no data", "pong", nil, 1, 0, 0, `{"message_type":"pong","data":null,"timestamp":1,"message_id":0}`},
		{"a reply", "pong", []byte("1"), 1, 0, 7, `{"message_type":"pong","data":1,"timestamp":1,"message_id":0,"request_id":7}`},
		{"a request", "ask", []byte("1"), 1, 7, 0, `{"message_type":"ask","data":1,"timestamp":1,"message_id":7}`},
		{"a type to escape", "a\"\n", []byte("1"), 1, 0, 0, `{"message_type":"a\"\n","data":1,"timestamp":1,"message_id":0}`},
		{"a type in Chinese", "消息", []byte("1"), 1, 0, 0, `{"message_type":"消息","data":1,"timestamp":1,"message_id":0}`},
		{"the largest numbers", "x", []byte("1"), math.MaxInt64, math.MinInt64, math.MinInt64,
			`{"message_type":"x","data":1,"timestamp":9223372036854775807,"message_id":-9223372036854775808,"request_id":-9223372036854775808}`},
	}
	// All around the lengths at which headers grow.
	const rest = len(`{"message_type":"x","data":"","timestamp":1,"message_id":0}`)
	for _, n := range []int{124, 125, 126, 127, 1<<16 - 1, 1 << 16, 1<<16 + 1} {
		text := strings.Repeat("y", n-rest)
		cases = append(cases, frameCase{fmt.Sprint(n, " bytes"), "x", []byte(`"` + text + `"`), 1, 0, 0,
			`{"message_type":"x","data":"` + text + `","timestamp":1,"message_id":0}`})
	}
	return cases
}

func TestFrame(t *testing.T) {
	var buffer dispatch.Buffer
	for _, tt := range frameCases() {
		t.Run(tt.name, func(t *testing.T) {
			want := header(len(tt.want)) + tt.want
			got := dispatch.Frame(tt.kind, tt.data, tt.millis, tt.id, tt.request)
			if string(got) != want {
				t.Errorf("Frame is %q, want %q", got, want)
			}
			for range 2 {
				if got := buffer.Frame(tt.kind, tt.data, tt.millis, tt.id, tt.request); string(got) != want {
					t.Errorf("in a buffer it is %q, want %q", got, want)
				}
			}
		})
	}
}

func TestFrameAllocations(t *testing.T) {
	var buffer dispatch.Buffer
	data := []byte(`{"room_id":"r","status":"joined"}`)
	for _, tt := range []struct {
		name string
		want float64
		f    func()
	}{
		{"Frame", 1, func() { dispatch.Frame("room_joined", data, 1700000000000, 1<<53-1, 1<<53-1) }},
		{"Frame without data", 1, func() { dispatch.Frame("room_joined", nil, 1700000000000, 1<<53-1, 1<<53-1) }},
		{"Frame of a type in Chinese", 1, func() { dispatch.Frame("消息", data, 1700000000000, 0, 0) }},
		{"Buffer.Frame", 0, func() { buffer.Frame("room_joined", data, 1700000000000, 0, 7) }},
	} {
		if got := testing.AllocsPerRun(100, tt.f); got != tt.want {
			t.Errorf("%s: %v allocations, want %v", tt.name, got, tt.want)
		}
	}
}

// TestBufferShrinks has a buffer build one frame that it must not keep.
func TestBufferShrinks(t *testing.T) {
	var buffer dispatch.Buffer
	big := append(append([]byte(`"`), bytes.Repeat([]byte("x"), 1<<20)...), '"')
	buffer.Frame("x", big, 1, 0, 0)
	if got := buffer.Frame("x", nil, 1, 0, 0); cap(got) > 16<<10 {
		t.Errorf("the buffer keeps %d bytes", cap(got))
	}
}

// nilError is what a handler returns that forgot that a nil pointer is no nil
// error.
func nilError() error {
	var e *hub.Error
	return e
}

func TestErrorFrame(t *testing.T) {
	const server = `"code":1003,"message":"the server could not handle the message"`
	for _, tt := range []struct {
		name string
		err  error
		id   int64
		data string
	}{
		{"the hub's", hub.NewError(3000, "room not found"), 7, `{"code":3000,"message":"room not found","request_id":7}`},
		{"without a request", hub.NewError(3000, "x"), 0, `{"code":3000,"message":"x","request_id":0}`},
		{"wrapped", fmt.Errorf("join: %w", hub.NewError(3000, "x")), 7, `{"code":3000,"message":"x","request_id":7}`},
		{"with details", &hub.Error{Code: 10000, Message: "x", Details: []int{1}}, 7, `{"code":10000,"message":"x","request_id":7,"details":[1]}`},
		{"with details that cannot be encoded", &hub.Error{Code: 10000, Message: "x", Details: func() {}}, 7, `{"code":10000,"message":"x","request_id":7}`},
		{"any other", errors.New("secret"), 7, `{` + server + `,"request_id":7}`},
		{"a nil pointer", nilError(), 7, `{` + server + `,"request_id":7}`},
		{"a text to escape", hub.NewError(1001, "\"\n\xff"), 7, `{"code":1001,"message":"\"\n\ufffd","request_id":7}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := dispatch.ErrorFrame(tt.err, 99, tt.id)
			payload := got[2:]
			if got[1] == 126 {
				payload = got[4:]
			}
			if want := header(len(payload)); string(got[:len(got)-len(payload)]) != want {
				t.Errorf("the header is %x, want %x", got[:len(got)-len(payload)], want)
			}
			want := `{"message_type":"error","data":` + tt.data + `,"timestamp":99,"message_id":0`
			if tt.id != 0 {
				want += fmt.Sprintf(`,"request_id":%d`, tt.id)
			}
			if !equalJSON(t, string(payload), want+"}") {
				t.Errorf("got %s, want %s}", payload, want)
			}
		})
	}
}

// equalJSON compares texts up to the order of members.
func equalJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := errors.Join(json.Unmarshal([]byte(a), &x), json.Unmarshal([]byte(b), &y)); err != nil {
		t.Fatalf("%s and %s: %v", a, b, err)
	}
	return fmt.Sprint(x) == fmt.Sprint(y)
}
