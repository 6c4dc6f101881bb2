package dispatch_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/chenxilol/gohub/internal/hub/dispatch"
	"github.com/chenxilol/gohub/pkg/hub"
)

func asString(b []byte) string { return string(b) }

func TestParseEnvelope(t *testing.T) {
	type envelope struct {
		kind, data       string
		message, request int64
	}
	for _, tt := range []struct {
		name, in string
		want     envelope
		code     int // 0: it is one
	}{
		{"type only", `{"message_type":"ping"}`, envelope{kind: "ping"}, 0},
		{"all", `{"message_type":"ping","data":{"ts":1},"message_id":7,"request_id":8}`, envelope{"ping", `{"ts":1}`, 7, 8}, 0},
		{"another order, spaces", " {\n\"message_id\" : 7 , \"data\" : [ 1, 2 ] , \"message_type\" : \"ping\" } ", envelope{"ping", "[ 1, 2 ]", 7, 0}, 0},
		{"null data is data", `{"message_type":"ping","data":null}`, envelope{kind: "ping", data: "null"}, 0},
		{"null ids are none", `{"message_type":"ping","message_id":null,"request_id":null}`, envelope{kind: "ping"}, 0},
		{"zero", `{"message_type":"ping","message_id":0}`, envelope{kind: "ping"}, 0},
		{"negative", `{"message_type":"ping","message_id":-5}`, envelope{kind: "ping", message: -5}, 0},
		{"the largest id", `{"message_type":"ping","message_id":9007199254740991}`, envelope{kind: "ping", message: 1<<53 - 1}, 0},
		{"unknown members", `{"message_type":"ping","x":{"message_type":"y"},"timestamp":1}`, envelope{kind: "ping"}, 0},
		{"the last one counts", `{"message_type":"a","message_type":"b","data":1,"data":2}`, envelope{kind: "b", data: "2"}, 0},
		{"escaped type", `{"message_type":"p\u0069ng"}`, envelope{kind: "ping"}, 0},
		{"escaped key", `{"message\u005ftype":"ping"}`, envelope{kind: "ping"}, 0},
		{"any text", `{"message_type":"房间 \"x\""}`, envelope{kind: `房间 "x"`}, 0},
		{"case counts", `{"Message_Type":"ping"}`, envelope{}, hub.CodeFormat},
		{"no type", `{"data":1,"message_id":7}`, envelope{data: "1", message: 7}, hub.CodeFormat},
		{"empty type", `{"message_type":"","message_id":7}`, envelope{message: 7}, hub.CodeFormat},
		{"type null", `{"message_type":null,"message_id":7}`, envelope{message: 7}, hub.CodeFormat},
		{"type a number", `{"message_type":1,"message_id":7}`, envelope{message: 7}, hub.CodeFormat},
		{"id too large", `{"message_type":"ping","message_id":9007199254740992}`, envelope{kind: "ping"}, hub.CodeMessageID},
		{"id far too large", `{"message_type":"ping","message_id":92233720368547758080}`, envelope{kind: "ping"}, hub.CodeMessageID},
		{"id a string", `{"message_type":"ping","message_id":"7"}`, envelope{kind: "ping"}, hub.CodeMessageID},
		{"id a fraction", `{"message_type":"ping","message_id":1.5}`, envelope{kind: "ping"}, hub.CodeMessageID},
		{"id an exponent", `{"message_type":"ping","message_id":1e3}`, envelope{kind: "ping"}, hub.CodeMessageID},
		{"id an object", `{"message_type":"ping","message_id":{}}`, envelope{kind: "ping"}, hub.CodeMessageID},
		{"bad request id", `{"message_type":"ping","message_id":7,"request_id":true}`, envelope{kind: "ping", message: 7}, hub.CodeMessageID},
		{"empty", ``, envelope{}, hub.CodeFormat},
		{"array", `[]`, envelope{}, hub.CodeFormat},
		{"string", `"ping"`, envelope{}, hub.CodeFormat},
		{"null", `null`, envelope{}, hub.CodeFormat},
		{"two", `{"message_type":"a"}{"message_type":"b"}`, envelope{kind: "a"}, hub.CodeFormat},
		{"cut off", `{"message_id":7,"message_type":"pi`, envelope{message: 7}, hub.CodeFormat},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, bad := dispatch.ParseEnvelope([]byte(tt.in), asString)
			if got := (envelope{e.Type, string(e.Data), e.MessageID, e.RequestID}); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			switch {
			case bad == nil && tt.code != 0:
				t.Error("it was taken")
			case bad != nil && bad.Code != tt.code:
				t.Errorf("refused with %v, want %d", bad, tt.code)
			}
		})
	}
}

func FuzzParseEnvelope(f *testing.F) {
	for _, v := range values {
		f.Add([]byte(v))
	}
	f.Add([]byte(`{"message_type":"ping","data":{"ts":1},"message_id":7,"request_id":8}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, bad := dispatch.ParseEnvelope(b, asString)
		const largest = 1<<53 - 1
		if max(e.MessageID, -e.MessageID) > largest || max(e.RequestID, -e.RequestID) > largest {
			t.Errorf("%q: ids %d and %d", b, e.MessageID, e.RequestID)
		}
		if bad != nil || !utf8.Valid(b) {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatalf("%q was taken: %v", b, err)
		}
		if e.Type == "" || string(e.Data) != string(want["data"]) {
			t.Errorf("%q: type %q, data %q", b, e.Type, e.Data)
		}
	})
}
