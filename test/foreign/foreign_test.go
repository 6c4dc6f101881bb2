package foreign

import (
	"context"
	"encoding/json"
	"flag"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

// Every test runs over the engine named here. CI runs this binary once for
// each and compares the lists of test names.
var engine = flag.String("engine", string(server.EngineAuto), "engine under test: auto or goroutine")

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m)
}

const (
	secret = "a secret of this test, over 32 bytes"
	// largest is the default of Options.MaxMessageSize.
	largest = 64 << 10
	// greeting needs two to four bytes a character in UTF-8.
	greeting = "grüße, 世界 👋"
)

// serve runs a hub that wants tokens. Its handlers beside the built-in ones:
// whoami, echo, and close, which closes with a code of its own.
func serve(t *testing.T) *hubtest.Server {
	t.Helper()
	opts := &server.Options{Engine: server.Engine(*engine), EnableAuth: true, JWTSecretKey: secret, Compression: true}
	return hubtest.NewServer(t, opts, func(s *server.Server) {
		handle := func(messageType string, f func(context.Context, *hub.Client, json.RawMessage) error) {
			if err := s.RegisterHandler(messageType, f); err != nil {
				t.Fatal(err)
			}
		}
		handle("whoami", func(ctx context.Context, c *hub.Client, _ json.RawMessage) error {
			return c.Reply(ctx, "you", map[string]string{"id": c.GetID()})
		})
		handle("echo", func(ctx context.Context, c *hub.Client, data json.RawMessage) error {
			return c.Reply(ctx, "echo", data)
		})
		handle("close", func(_ context.Context, c *hub.Client, _ json.RawMessage) error {
			c.Close(4321, "because")
			return nil
		})
	})
}

func token(t *testing.T, id string) string {
	t.Helper()
	issuer, err := auth.NewIssuer(auth.IssuerConfig{SecretKey: secret})
	if err != nil {
		t.Fatal(err)
	}
	claims := auth.TokenClaims{Subject: id, Permissions: []auth.Permission{
		auth.PermJoinRoom, auth.PermCreateRoom, auth.PermSendMessage, auth.PermReadMessage,
	}}
	text, err := issuer.Issue(claims, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// bearer connects with a token in the header.
func bearer(t *testing.T, srv *hubtest.Server, id string) request {
	t.Helper()
	return request{URL: srv.URL("ws") + "/ws", Headers: map[string]string{"Authorization": "Bearer " + token(t, id)}}
}

// TestClients runs each check with each language.
func TestClients(t *testing.T) {
	for _, l := range []language{node, python} {
		t.Run(l.name, func(t *testing.T) {
			p, srv := l.start(t), serve(t)
			for _, check := range []struct {
				name string
				run  func(*testing.T, *program, *hubtest.Server)
			}{
				{"token in the header", checkHeader},
				{"token in the query", checkQuery},
				{"token in the subprotocol", checkSubprotocol},
				{"no token", checkNoToken},
				{"ping", checkPing},
				{"binary", checkBinary},
				{"fragments", checkFragments},
				{"compression", checkCompression},
				{"largest message", checkLargest},
				{"close by the client", checkClose},
				{"close by a handler", checkHandlerClose},
				{"replaced", checkReplaced},
			} {
				t.Run(check.name, func(t *testing.T) { check.run(t, p, srv) })
			}
			t.Run("restart", func(t *testing.T) { checkRestart(t, p, srv) })
		})
	}
}

func checkIdentity(t *testing.T, c *client, want string) {
	t.Helper()
	if id := field(t, c.ask(t, "whoami", nil), "id"); id != want {
		t.Errorf("the hub calls us %v, want %s", id, want)
	}
}

func checkHeader(t *testing.T, p *program, srv *hubtest.Server) {
	c, r := p.connect(t, "header", bearer(t, srv, "by header"))
	if r.Subprotocol != "" || r.Extensions != "" {
		t.Errorf("agreed on %+v without being asked", r)
	}
	checkIdentity(t, c, "by header")
}

func checkQuery(t *testing.T, p *program, srv *hubtest.Server) {
	c, _ := p.connect(t, "query", request{URL: srv.URL("ws") + "/ws?token=" + url.QueryEscape(token(t, "by query"))})
	checkIdentity(t, c, "by query")
}

func checkSubprotocol(t *testing.T, p *program, srv *hubtest.Server) {
	c, r := p.connect(t, "subprotocol", request{
		URL: srv.URL("ws") + "/ws", Subprotocols: []string{"gohub.v1", "gohub.token." + token(t, "by subprotocol")},
	})
	if r.Subprotocol != "gohub.v1" {
		t.Errorf("subprotocol %q, want gohub.v1", r.Subprotocol)
	}
	if m := c.next(t); m.Type != "connected" {
		t.Errorf("got %s %s, want connected", m.Type, m.Data)
	}
	checkIdentity(t, c, "by subprotocol")
}

func checkNoToken(t *testing.T, p *program, srv *hubtest.Server) {
	r := p.call(t, request{Do: "connect", Conn: "none", URL: srv.URL("ws") + "/ws"})
	if r.Status != 401 {
		t.Errorf("got %+v, want status 401", r)
	}
}

func checkPing(t *testing.T, p *program, srv *hubtest.Server) {
	c, _ := p.connect(t, "ping", bearer(t, srv, "ping"))
	if r := c.do(t, request{Do: "ping", Text: "are you there?"}); r.Text != "are you there?" {
		t.Errorf("pong %q", r.Text)
	}
	m := c.ask(t, "ping", map[string]any{"ts": time.Now().UnixMilli()})
	if rtt, ok := field(t, m, "rtt").(float64); m.Type != "pong" || !ok || rtt < 0 {
		t.Errorf("got %s %s, want pong with its rtt", m.Type, m.Data)
	}
}

func checkBinary(t *testing.T, p *program, srv *hubtest.Server) {
	c, _ := p.connect(t, "binary", bearer(t, srv, "binary"))
	c.do(t, request{Do: "sendBinary", Binary: "00ff10"})
	if m := c.next(t); m.ErrorCode() != hub.CodeFormat {
		t.Errorf("got %s %s, want error %d", m.Type, m.Data, hub.CodeFormat)
	}
	checkIdentity(t, c, "binary") // still there
}

func checkFragments(t *testing.T, p *program, srv *hubtest.Server) {
	c, _ := p.connect(t, "fragments", bearer(t, srv, "fragments"))
	c.send(t, `{"message_type":"echo",`, `"message_id":7,`, `"data":"`+greeting, `"}`)
	if m := c.next(t); m.RequestID != 7 || string(m.Data) != `"`+greeting+`"` {
		t.Errorf("got %s %s", m.Type, m.Data)
	}
}

func checkCompression(t *testing.T, p *program, srv *hubtest.Server) {
	q := bearer(t, srv, "compression")
	q.Compress = true
	c, r := p.connect(t, "compression", q)
	if r.Extensions != "permessage-deflate" {
		t.Errorf("extensions %q, want permessage-deflate", r.Extensions)
	}
	text := strings.Repeat(greeting, 500)
	for range 3 { // a context kept from one message to the next would show
		if got := field(t, c.ask(t, "echo", map[string]string{"text": text}), "text"); got != text {
			t.Fatalf("the echo of %d bytes differs", len(text))
		}
	}
	c.send(t, `{"message_type":"echo","message_id":7,"data":"`, text, `"}`)
	if m := c.next(t); string(m.Data) != `"`+text+`"` {
		t.Error("the echo of fragments differs")
	}
}

func checkLargest(t *testing.T, p *program, srv *hubtest.Server) {
	c, _ := p.connect(t, "largest", bearer(t, srv, "largest"))
	const head, tail = `{"message_type":"echo","message_id":7,"data":"`, `"}`
	filling := strings.Repeat("x", largest-len(head)-len(tail))
	c.send(t, head+filling+tail)
	if m := c.next(t); string(m.Data) != `"`+filling+`"` {
		t.Errorf("the echo of %d bytes differs", largest)
	}
	c.send(t, head+filling+"x"+tail)
	c.ends(t, websocket.CloseMessageTooBig)
}

func checkClose(t *testing.T, p *program, srv *hubtest.Server) {
	c, _ := p.connect(t, "close", bearer(t, srv, "close"))
	c.do(t, request{Do: "close", Code: 1000, Reason: "done"})
	c.ends(t, 1000) // the hub's answer
}

func checkHandlerClose(t *testing.T, p *program, srv *hubtest.Server) {
	c, _ := p.connect(t, "handler", bearer(t, srv, "handler"))
	c.send(t, `{"message_type":"close","data":null}`)
	if reason := c.ends(t, 4321); reason != "because" {
		t.Errorf("reason %q", reason)
	}
}

func checkReplaced(t *testing.T, p *program, srv *hubtest.Server) {
	first, _ := p.connect(t, "first", bearer(t, srv, "twice"))
	second, _ := p.connect(t, "second", bearer(t, srv, "twice"))
	first.ends(t, hub.CloseReplaced)
	checkIdentity(t, second, "twice")
}

// checkRestart stops the hub, so it comes last.
func checkRestart(t *testing.T, p *program, srv *hubtest.Server) {
	c, _ := p.connect(t, "restart", bearer(t, srv, "restart"))
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	c.ends(t, websocket.CloseServiceRestart)
}

// TestChat lets the languages talk to each other.
func TestChat(t *testing.T) {
	n, p, srv := node.start(t), python.start(t), serve(t)
	ann, _ := n.connect(t, "ann", bearer(t, srv, "ann"))
	bob, _ := p.connect(t, "bob", bearer(t, srv, "bob"))
	for _, c := range []*client{ann, bob} {
		if m := c.ask(t, "join_room", map[string]string{"room_id": "lobby"}); m.Type != "room_joined" {
			t.Fatalf("%s: got %s %s, want room_joined", c.conn, m.Type, m.Data)
		}
	}
	for _, pair := range [][2]*client{{ann, bob}, {bob, ann}} {
		from, to := pair[0], pair[1]
		m := from.ask(t, "room_message", map[string]any{"room_id": "lobby", "content": map[string]string{"text": greeting}})
		if m.Type != "room_message_sent" {
			t.Errorf("%s: got %s %s, want room_message_sent", from.conn, m.Type, m.Data)
		}
		m = to.next(t)
		content, _ := field(t, m, "content").(map[string]any)
		if m.Type != "room_message" || field(t, m, "sender_id") != from.conn || content["text"] != greeting {
			t.Errorf("%s: got %s %s", to.conn, m.Type, m.Data)
		}
	}
	m := ann.ask(t, "room_members", map[string]string{"room_id": "lobby"})
	if field(t, m, "count") != 2.0 {
		t.Errorf("got %s %s, want 2 members", m.Type, m.Data)
	}
}
