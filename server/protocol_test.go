package server_test

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

// fields is the data of a message.
type fields map[string]any

// into decodes the data of a message.
func into[T any](t testing.TB, m hubtest.Message) (v T) {
	t.Helper()
	if err := json.Unmarshal(m.Data, &v); err != nil {
		t.Fatalf("data of %s: %v: %s", m.Type, err, m.Data)
	}
	return v
}

// decode decodes a frame with a message.
func decode(t testing.TB, f hub.Frame) (m hubtest.Message) {
	t.Helper()
	if err := json.Unmarshal(f.Data, &m); err != nil {
		t.Fatalf("%q is no message: %v", f.Data, err)
	}
	return m
}

// wantMessage checks a whole message: the members that every message from the
// hub has, and no others. In data a time, which must be now, is "now".
func wantMessage(t *testing.T, got hub.Frame, messageType, data string, requestID int) {
	t.Helper()
	want := fmt.Sprintf(`{"message_type":%q,"data":%s,"timestamp":"now","message_id":0`, messageType, data)
	if requestID != 0 {
		want += fmt.Sprintf(`,"request_id":%d`, requestID)
	}
	var g, w any
	if err := json.Unmarshal(got.Data, &g); err != nil || got.MsgType != hub.TextMessage {
		t.Fatalf("%q is no message in a text frame (%v)", got.Data, err)
	}
	if err := json.Unmarshal([]byte(want+"}"), &w); err != nil {
		t.Fatalf("bad expectation %s: %v", want, err)
	}
	if stampNow(g); !reflect.DeepEqual(g, w) {
		t.Fatalf("got  %s\nwant %s}", got.Data, want)
	}
}

// wantMessageData checks the data of a message.
func wantMessageData(t *testing.T, m hubtest.Message, format string, args ...any) {
	t.Helper()
	if want := fmt.Sprintf(format, args...); string(m.Data) != want {
		t.Errorf("data of %s: %s, want %s", m.Type, m.Data, want)
	}
}

// stampNow replaces the times in v that are now by "now".
func stampNow(v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			ms, ok := x.(float64)
			if ok && (k == "timestamp" || k == "server_ts") && time.Since(time.UnixMilli(int64(ms))).Abs() < time.Minute {
				v[k] = "now"
			}
			stampNow(x)
		}
	case []any:
		for _, x := range v {
			stampNow(x)
		}
	}
}

// raw sends a text frame.
func raw(c *hubtest.Client, text string) { c.SendFrame(hub.Text([]byte(text))) }

// queryIDs lets clients choose their ids.
var queryIDs = server.Options{EnableQueryClientID: true}

// builtins has a message of every built-in type, as the client "me" sends it,
// which is in the room "home", where "other" is, too; there is a room "spare".
var builtins = []struct {
	name, send, data     string
	answer, answerData   string
	withoutID            bool   // answered without a message_id, too
	other, otherReceives string // what the other client gets
}{
	{name: "ping", send: "ping", data: `null`, answer: "pong", answerData: `{"ts":null,"server_ts":"now","rtt":0}`, withoutID: true},
	{name: "ping empty", send: "ping", data: `{}`, answer: "pong", answerData: `{"ts":null,"server_ts":"now","rtt":0}`, withoutID: true},
	{
		name: "ping from the future", send: "ping", data: `{"ts":9007199254740991}`,
		answer: "pong", answerData: `{"ts":9007199254740991,"server_ts":"now","rtt":0}`, withoutID: true,
	},
	{name: "join_room implicit", send: "join_room", data: `{"room_id":"new"}`, answer: "room_joined", answerData: `{"room_id":"new","status":"joined"}`, withoutID: true},
	{name: "join_room", send: "join_room", data: `{"room_id":"spare"}`, answer: "room_joined", answerData: `{"room_id":"spare","status":"joined"}`, withoutID: true},
	{
		name: "join_room without history", send: "join_room", data: `{"room_id":"spare","since":"x"}`,
		answer: "room_joined", answerData: `{"room_id":"spare","status":"joined","recovered":false}`, withoutID: true,
	},
	{name: "leave_room", send: "leave_room", data: `{"room_id":"home"}`, answer: "room_left", answerData: `{"room_id":"home","status":"left"}`, withoutID: true},
	{name: "create_room", send: "create_room", data: `{"room_id":"made"}`, answer: "room_created", answerData: `{"room_id":"made","name":"","max_clients":0}`},
	{
		name: "create_room with all", send: "create_room", data: `{"room_id":"made","name":"N","max_clients":3}`,
		answer: "room_created", answerData: `{"room_id":"made","name":"N","max_clients":3}`,
	},
	{
		name: "create_room with nulls", send: "create_room", data: `{"room_id":"made","name":null}`,
		answer: "room_created", answerData: `{"room_id":"made","name":"","max_clients":0}`,
	},
	{name: "delete_room", send: "delete_room", data: `{"room_id":"spare"}`, answer: "room_deleted", answerData: `{"room_id":"spare"}`},
	{
		name: "room_message", send: "room_message", data: `{"room_id":"home","content":{"a":[1,null,"x"]}}`,
		answer: "room_message_sent", answerData: `{"room_id":"home","scope":"cluster"}`,
		other: "room_message", otherReceives: `{"room_id":"home","content":{"a":[1,null,"x"]},"sender_id":"me","timestamp":"now"}`,
	},
	{
		name: "room_message of null", send: "room_message", data: `{"room_id":"home","content":null,"idempotency_key":"k"}`,
		answer: "room_message_sent", answerData: `{"room_id":"home","scope":"cluster"}`,
		other: "room_message", otherReceives: `{"room_id":"home","content":null,"sender_id":"me","timestamp":"now"}`,
	},
	{
		name: "direct_message", send: "direct_message", data: `{"target_id":"other","content":"hi"}`,
		answer: "direct_message_sent", answerData: `{"target_id":"other"}`,
		other: "direct_message", otherReceives: `{"content":"hi","sender_id":"me","timestamp":"now"}`,
	},
	{
		name: "room_members", send: "room_members", data: `{"room_id":"home","limit":1}`,
		answer: "room_members", answerData: `{"room_id":"home","members":["other"],"count":2,"cursor":"0"}`,
	},
	{name: "room_history", send: "room_history", data: `{"room_id":"home"}`, answer: "room_history", answerData: `{"room_id":"home","messages":[],"count":0}`},
	{name: "authenticate", send: "authenticate", data: `{"token":"any"}`, answer: "authenticated", answerData: `{"client_id":"me"}`},
}

// TestBuiltinMessages sends every message with a message_id, and without.
func TestBuiltinMessages(t *testing.T) {
	for _, tt := range builtins {
		for _, id := range []int{0, 7} {
			t.Run(fmt.Sprint(tt.name, " ", id), func(t *testing.T) {
				srv := start(t, queryIDs)
				if err := srv.SDK().CreateRoom("spare", "", 0); err != nil {
					t.Fatal(err)
				}
				me, other := srv.Dial(t, hubtest.ID("me")), srv.Dial(t, hubtest.ID("other"))
				me.Join("home")
				other.Join("home")
				withID := ""
				if id != 0 {
					withID = fmt.Sprintf(`,"message_id":%d`, id)
				}
				raw(me, fmt.Sprintf(`{"message_type":%q,"data":%s%s}`, tt.send, tt.data, withID))
				if id != 0 || tt.withoutID {
					wantMessage(t, me.NextFrame(), tt.answer, tt.answerData, id)
				}
				me.Silent()
				if tt.other != "" {
					wantMessage(t, other.NextFrame(), tt.other, tt.otherReceives, 0)
				}
				other.Silent()
			})
		}
	}
}

// TestPingMeasures checks the one answer that depends on time.
func TestPingMeasures(t *testing.T) {
	c := start(t, server.Options{}).Dial(t)
	ts := time.Now().UnixMilli() - 5000
	pong := into[struct {
		TS, RTT  int64
		ServerTS int64 `json:"server_ts"`
	}](t, c.Request("ping", fields{"ts": ts}))
	if pong.TS != ts || pong.RTT < 5000 || pong.RTT > 65_000 || pong.RTT != pong.ServerTS-ts {
		t.Errorf("pong %+v for ts %d", pong, ts)
	}
}

// tableTypes returns the message types of the tables in docs/protocol.md.
func tableTypes(t *testing.T) (client, notices []string) {
	t.Helper()
	doc, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	section := func(title string) string {
		_, rest, _ := strings.Cut(string(doc), "\n## "+title)
		rest, _, _ = strings.Cut(rest, "\n## ")
		return rest
	}
	name := regexp.MustCompile("`([a-z_]+)`")
	collect := func(text string) (types []string) {
		for line := range strings.Lines(text) {
			if cells := strings.Split(line, "|"); len(cells) > 2 {
				for _, m := range name.FindAllStringSubmatch(cells[1], -1) {
					types = append(types, m[1])
				}
			}
		}
		return types
	}
	return collect(section("Message types")), collect(section("Notices"))
}

// TestDocumentedTypes compares the table in the documentation with what the
// server has built in.
func TestDocumentedTypes(t *testing.T) {
	types, notices := tableTypes(t)
	tested := map[string]bool{}
	for _, tt := range builtins {
		tested[tt.send] = true
	}
	if len(types) != len(tested) || len(notices) < 3 {
		t.Errorf("documented types %v, tested %v, notices %v", types, tested, notices)
	}
	s, err := server.NewServer(hubtest.Options(nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Shutdown(t.Context()) })
	for _, name := range types {
		if err := s.RegisterHandler(name, nothing); err == nil || !strings.Contains(err.Error(), "built in") || !tested[name] {
			t.Errorf("%s: tested %v; register: %v, want that it is built in", name, tested[name], err)
		}
	}
	for _, name := range notices {
		if slices.Contains(types, name) {
			t.Errorf("%s is a notice and a message type", name)
		}
	}
}

// TestRefusedMessages sends what the hub cannot read. The request_id is told
// wherever it can be.
func TestRefusedMessages(t *testing.T) {
	srv := start(t, queryIDs)
	c := srv.Dial(t, hubtest.ID("me"))
	c.Join("home")
	for _, tt := range []struct {
		name, send string
		code       int
		message    string
		requestID  int
	}{
		{"unknown type", `{"message_type":"dance","data":{}}`, 1001, "unknown message_type", 0},
		{"unknown type asked", `{"message_type":"dance","data":{},"message_id":3}`, 1001, "unknown message_type", 3},
		{"a reply's type", `{"message_type":"room_joined","message_id":3}`, 1001, "unknown message_type", 3},
		{"no JSON", `ping`, 1001, "message must be one JSON object", 0},
		{"broken JSON", `{"message_type":"ping"`, 1001, "message must be one JSON object", 0},
		{"broken behind the id", `{"message_id":9,"message_type":"ping",}`, 1001, "message must be one JSON object", 9},
		{"two objects", `{"message_type":"ping"}{}`, 1001, "message must be one JSON object", 0},
		{"array", `[]`, 1001, "message must be one JSON object", 0},
		{"empty frame", ``, 1001, "message must be one JSON object", 0},
		{"empty object", `{}`, 1001, "message_type is missing or empty", 0},
		{"type missing", `{"data":{},"message_id":4}`, 1001, "message_type is missing or empty", 4},
		{"type empty", `{"message_type":"","message_id":4}`, 1001, "message_type is missing or empty", 4},
		{"type number", `{"message_type":1,"message_id":4}`, 1001, "message_type must be a string", 4},
		{"type null", `{"message_type":null,"message_id":4}`, 1001, "message_type must be a string", 4},
		{"id float", `{"message_type":"ping","message_id":1.5}`, 1002, "message_id must be a whole number of at most 53 bits", 0},
		{"id whole float", `{"message_type":"ping","message_id":1.0}`, 1002, "message_id must be a whole number of at most 53 bits", 0},
		{"id exponent", `{"message_type":"ping","message_id":1e3}`, 1002, "message_id must be a whole number of at most 53 bits", 0},
		{"id string", `{"message_type":"ping","message_id":"7"}`, 1002, "message_id must be a whole number of at most 53 bits", 0},
		{"id bool", `{"message_type":"ping","message_id":true}`, 1002, "message_id must be a whole number of at most 53 bits", 0},
		{"id 2^53", `{"message_type":"ping","message_id":9007199254740992}`, 1002, "message_id must be a whole number of at most 53 bits", 0},
		{"id -2^53", `{"message_type":"ping","message_id":-9007199254740992}`, 1002, "message_id must be a whole number of at most 53 bits", 0},
		{"id of 100 digits", `{"message_type":"ping","message_id":` + strings.Repeat("9", 100) + `}`, 1002, "message_id must be a whole number of at most 53 bits", 0},
		{"request_id string", `{"message_type":"ping","request_id":"7","message_id":2}`, 1002, "request_id must be a whole number of at most 53 bits", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			raw(c, tt.send)
			wantMessage(t, c.NextFrame(), "error", fmt.Sprintf(`{"code":%d,"message":%q,"request_id":%d}`, tt.code, tt.message, tt.requestID), tt.requestID)
			c.Silent()
		})
	}
	t.Run("binary frame", func(t *testing.T) {
		c.SendFrame(hub.Binary([]byte(`{"message_type":"ping","message_id":5}`)))
		wantMessage(t, c.NextFrame(), "error", `{"code":1001,"message":"messages are JSON in text frames","request_id":0}`, 0)
		c.Silent()
	})
}

// TestMessageIDs: which numbers make a request.
func TestMessageIDs(t *testing.T) {
	c := start(t, server.Options{}).Dial(t)
	for id, requestID := range map[string]int{
		"0": 0, "-0": 0, "null": 0, "1": 1, "-1": -1, "9007199254740991": 1<<53 - 1, "-9007199254740991": 1 - 1<<53,
	} {
		t.Run(id, func(t *testing.T) {
			raw(c, `{"message_type":"ping","message_id":`+id+`}`)
			wantMessage(t, c.NextFrame(), "pong", `{"ts":null,"server_ts":"now","rtt":0}`, requestID)
		})
	}
}

// TestRefusedData sends data that the built-in types cannot use, and wants one
// error, with a message_id and without.
func TestRefusedData(t *testing.T) {
	srv := start(t, queryIDs)
	if err := srv.SDK().CreateRoom("spare", "", 0); err != nil {
		t.Fatal(err)
	}
	if err := srv.SDK().CreateRoom("full", "", 1); err != nil {
		t.Fatal(err)
	}
	srv.Dial(t, hubtest.ID("other")).Join("full")
	c := srv.Dial(t, hubtest.ID("me"))
	c.Join("home")
	long := strings.Repeat("x", 513)
	type refused struct {
		send, data string
		code       int
		message    string
	}
	var cases []refused
	types, _ := tableTypes(t)
	for _, name := range types {
		if name != "ping" {
			cases = append(cases, refused{name, "", 1001, "data is missing"}, refused{name, "null", 1001, "data must be a JSON object"})
		}
		cases = append(cases, refused{name, `"x"`, 1001, "data must be a JSON object"}, refused{name, `[1]`, 1001, "data must be a JSON object"})
		switch name {
		case "ping", "direct_message", "authenticate":
			continue
		}
		for data, message := range map[string]string{
			`{}`:                           "room_id is missing or empty",
			`{"room_id":null}`:             "room_id is missing or empty",
			`{"room_id":""}`:               "room_id is missing or empty",
			`{"room_id":5}`:                "room_id must be a string",
			`{"room_id":["home"]}`:         "room_id must be a string",
			`{"room_id":"` + long + `"}`:   "room_id is longer than 512 bytes",
			`{"room_id":"a\u0000b"}`:       "room_id holds a control character",
			`{"room_id":"a\nb"}`:           "room_id holds a control character",
			`{"room_id":"a\u007f"}`:        "room_id holds a control character",
			"{\"room_id\":\"a\u0085b\"}":   "room_id holds a control character",
			`{"Room_ID":"home"}`:           "room_id is missing or empty",
			`{"room_id":"x","room_id":""}`: "room_id is missing or empty",
		} {
			cases = append(cases, refused{name, data, 1001, message})
		}
	}
	cases = append(cases, []refused{
		{"ping", `{"ts":"x"}`, 1001, "ts must be a whole number of milliseconds"},
		{"ping", `{"ts":1.5}`, 1001, "ts must be a whole number of milliseconds"},
		{"join_room", `{"room_id":"home"}`, 3004, "the client is in this room already"},
		{"join_room", `{"room_id":"full"}`, 3002, "room is full"},
		{"join_room", `{"room_id":"spare","since":1}`, 1001, "since must be a string"},
		{"leave_room", `{"room_id":"nowhere"}`, 3000, "room not found"},
		{"leave_room", `{"room_id":"spare"}`, 3003, "the client is not in this room"},
		{"create_room", `{"room_id":"spare"}`, 3001, "room exists already"},
		{"create_room", `{"room_id":"home"}`, 3001, "room exists already"},
		{"create_room", `{"room_id":"n","name":5}`, 1001, "name must be a string"},
		{"create_room", `{"room_id":"n","name":"` + long + `"}`, 1001, "name is longer than 512 bytes"},
		{"create_room", `{"room_id":"n","name":"a\tb"}`, 1001, "name holds a control character"},
		{"create_room", `{"room_id":"n","max_clients":-1}`, 1001, "max_clients must be a whole number, 0 or more"},
		{"create_room", `{"room_id":"n","max_clients":1.5}`, 1001, "max_clients must be a whole number, 0 or more"},
		{"create_room", `{"room_id":"n","max_clients":"5"}`, 1001, "max_clients must be a whole number, 0 or more"},
		{"delete_room", `{"room_id":"nowhere"}`, 3000, "room not found"},
		{"room_message", `{"room_id":"home"}`, 1001, "content is missing"},
		{"room_message", `{"room_id":"nowhere","content":1}`, 3000, "room not found"},
		{"room_message", `{"room_id":"spare","content":1}`, 3003, "the client is not in this room"},
		{"room_message", `{"room_id":"home","content":1,"idempotency_key":1}`, 1001, "idempotency_key must be a string"},
		{"room_message", `{"room_id":"home","content":1,"idempotency_key":"` + long + `"}`, 1001, "idempotency_key is longer than 512 bytes"},
		{"direct_message", `{"content":1}`, 1001, "target_id is missing or empty"},
		{"direct_message", `{"target_id":5,"content":1}`, 1001, "target_id must be a string"},
		{"direct_message", `{"target_id":"other"}`, 1001, "content is missing"},
		{"direct_message", `{"target_id":"nobody","content":1}`, 4000, "no such client"},
		{"room_members", `{"room_id":"nowhere"}`, 3000, "room not found"},
		{"room_members", `{"room_id":"home","limit":0}`, 1001, "limit must be 1 to 1000"},
		{"room_members", `{"room_id":"home","limit":1001}`, 1001, "limit must be 1 to 1000"},
		{"room_members", `{"room_id":"home","limit":"1"}`, 1001, "limit must be a whole number, 0 or more"},
		{"room_members", `{"room_id":"home","cursor":"x"}`, 1001, "cursor is not one that the hub gave out"},
		{"room_members", `{"room_id":"home","cursor":"-1"}`, 1001, "cursor is not one that the hub gave out"},
		{"room_members", `{"room_id":"home","cursor":1}`, 1001, "cursor must be a string"},
		{"room_history", `{"room_id":"nowhere"}`, 3000, "room not found"},
		{"room_history", `{"room_id":"home","cursor":"x"}`, 1001, "cursor is not one that the hub gave out"},
		{"room_history", `{"room_id":"home","cursor":":1"}`, 1001, "cursor is not one that the hub gave out"},
		{"room_history", `{"room_id":"home","cursor":"epoch:-1"}`, 1001, "cursor is not one that the hub gave out"},
		{"room_history", `{"room_id":"home","limit":0}`, 1001, "limit must be 1 to 1000"},
		{"authenticate", `{}`, 1001, "token is missing or empty"},
		{"authenticate", `{"token":5}`, 1001, "token must be a string"},
	}...)
	for i, tt := range cases {
		data := ""
		if tt.data != "" {
			data = `,"data":` + tt.data
		}
		for _, id := range []int{0, i + 1} {
			withID := ""
			if id != 0 {
				withID = fmt.Sprintf(`,"message_id":%d`, id)
			}
			t.Run(fmt.Sprintf("%s %.40s request=%t", tt.send, tt.data, id != 0), func(t *testing.T) {
				raw(c, fmt.Sprintf(`{"message_type":%q%s%s}`, tt.send, data, withID))
				wantMessage(t, c.NextFrame(), "error", fmt.Sprintf(`{"code":%d,"message":%q,"request_id":%d}`, tt.code, tt.message, id), id)
				c.Silent()
			})
		}
	}
	if rooms := srv.SDK().GetRoomCount(); rooms != 3 {
		t.Errorf("%d rooms, want the 3 there were: what was refused made some", rooms)
	}
}

// TestConnectedNotice: gohub.v1 clients are greeted first of all, plain ones
// get nothing that they did not ask for.
func TestConnectedNotice(t *testing.T) {
	srv := start(t, server.Options{
		EnableQueryClientID: true, ReadTimeout: 50 * time.Second, PingInterval: 7 * time.Second, MaxMessageSize: 12_345,
		Rooms: []server.RoomRule{{Pattern: "*", Presence: true}},
	})
	want := fmt.Sprintf(`{"client_id":"v1","node":%q,"ping_interval_ms":7000,"read_timeout_ms":50000,"max_message_size":12345}`, srv.Node())
	v1 := srv.Dial(t, hubtest.ID("v1"), hubtest.Subprotocols("other", "gohub.v1"))
	wantMessage(t, v1.NextFrame(), "connected", want, 0)
	if p := v1.Conn().Subprotocol(); p != "gohub.v1" {
		t.Errorf("subprotocol %q", p)
	}
	for name, opts := range map[string][]hubtest.Option{
		"none": nil, "others": {hubtest.Subprotocols("gohub.v2", "chat")}, "not quite": {hubtest.Subprotocols("GOHUB.V1")},
	} {
		t.Run(name, func(t *testing.T) {
			plain := srv.Dial(t, opts...)
			if p := plain.Conn().Subprotocol(); p != "" {
				t.Errorf("subprotocol %q", p)
			}
			plain.Silent()
			plain.Join("room")
			v1.Join("room")
			for v1.Next().Type != "member_joined" { // its own joining, by when the plain client has been told, if at all
				continue
			}
			plain.Silent()
			v1.Request("leave_room", fields{"room_id": "room"})
		})
	}
}
