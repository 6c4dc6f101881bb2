package server_test

import (
	"strings"
	"testing"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

// TestNamesAreData: whatever is a valid name is one room apart from all others.
func TestNamesAreData(t *testing.T) {
	srv := start(t, server.Options{EnableQueryClientID: true, MaxRoomsCreatedPerClient: -1})
	c, other := srv.Dial(t), srv.Dial(t, hubtest.ID("* > /"))
	names := []string{
		">", "*", "/", ".", "..", "a.b", "a.*", "a.>", " ", "  ", " a", "a ", "房间", "é", "e\u0301", "🦄", "$SYS.x", "_INBOX.1",
		`"`, `\`, `\u0041`, "<script>", "&", "%00", "\u2028", "null", "\ufffd", "\u200b", "A", "a",
		strings.Repeat("x", 512), strings.Repeat("é", 256), strings.Repeat(">", 511) + "*",
	}
	for _, name := range names {
		if got := into[fields](t, c.Join(name))["room_id"]; got != name {
			t.Errorf("joined %q, was told %q", name, got)
		}
		other.Join(name)
	}
	if n := srv.SDK().GetRoomCount(); n != len(names) {
		t.Errorf("%d rooms for %d names", n, len(names))
	}
	for _, name := range names {
		other.Send("room_message", fields{"room_id": name, "content": name})
	}
	for _, name := range names {
		data := into[fields](t, c.Expect("room_message"))
		if data["room_id"] != name || data["content"] != name || data["sender_id"] != "* > /" {
			t.Errorf("%q: got %v", name, data)
		}
	}
	c.Silent()
	c.Send("direct_message", fields{"target_id": "* > /", "content": 1})
	other.Expect("direct_message")
}

// TestEscapes: keys and values mean what they say, however they are written.
func TestEscapes(t *testing.T) {
	srv := start(t, queryIDs)
	c, other := srv.Dial(t, hubtest.ID(`quote " and \`)), srv.Dial(t)
	raw(c, " {\n\t\"\\u006dessage_type\" : \"\\u006Aoin\\u005froom\" , \"d\\u0061ta\":{ \"room\\u005Fid\" : \"\\ud83e\\udd84\\/\\\"\" },\r \"message\\u005fid\":1 } ")
	wantMessage(t, c.NextFrame(), "room_joined", `{"room_id":"🦄/\"","status":"joined"}`, 1)
	other.Join("🦄/\"")
	content := `{"\u0061": "\ud800 \u0000 \\ \" </script>" , "a":1.50e+2, "big":123456789012345678901234567890}`
	raw(c, `{"message_type":"room_message","ignored":{"message_type":"ping"},"data":{"room_id":"🦄/\"","content":`+content+`}}`)
	frame := other.NextFrame()
	wantMessage(t, frame, "room_message", `{"room_id":"🦄/\"","content":`+content+`,"sender_id":"quote \" and \\","timestamp":"now"}`, 0)
	if !strings.Contains(string(frame.Data), `"content":`+content) {
		t.Errorf("content has been rewritten: %s", frame.Data)
	}
	t.Run("half of a pair", func(t *testing.T) {
		raw(c, `{"message_type":"join_room","data":{"room_id":"x\ud800"},"message_id":2}`)
		wantMessage(t, c.NextFrame(), "room_joined", `{"room_id":"x\ufffd","status":"joined"}`, 2)
	})
	t.Run("the last of several counts", func(t *testing.T) {
		raw(c, `{"message_type":"dance","message_type":"ping","message_id":8,"message_id":9}`)
		wantMessage(t, c.NextFrame(), "pong", `{"ts":null,"server_ts":"now","rtt":0}`, 9)
	})
	t.Run("deep", func(t *testing.T) {
		raw(c, `{"message_type":"ping","data":`+strings.Repeat("[", 30_000)+strings.Repeat("]", 30_000)+`,"message_id":3}`)
		if m := c.Next(); m.ErrorCode() != hub.CodeFormat {
			t.Errorf("got %s %s, want error 1001", m.Type, m.Data)
		}
	})
}
