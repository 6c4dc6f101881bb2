package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/client"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/pkg/sdk"
	"github.com/chenxilol/gohub/server"
)

const secret = "0123456789abcdef0123456789abcdef"

// dial connects to a hub; the client is closed with the test.
func dial(t *testing.T, srv *hubtest.Server, opts client.Options) *client.Client {
	t.Helper()
	c, err := client.Dial(t.Context(), srv.URL("ws")+"/ws", opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close(context.Background())
		<-c.Done()
	})
	return c
}

// quick is the back-off of tests: they have no time to wait.
func quick(opts client.Options) client.Options {
	opts.Backoff = client.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond}
	return opts
}

func join(t *testing.T, c *client.Client, room string, opts client.JoinOptions) client.Membership {
	t.Helper()
	m, err := c.Join(t.Context(), room, opts)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func withHistory(o server.Options) server.Options {
	o.EnableQueryClientID = true
	o.RateLimit.MessagesPerSecond = -1
	o.Rooms = []server.RoomRule{{Pattern: "h*", HistorySize: 10_000, Presence: true}, {Pattern: "small", HistorySize: 2}}
	return o
}

// TestDialIsConnected: a client is connected, and knows as whom and to whom, when
// Dial returns.
func TestDialIsConnected(t *testing.T) {
	srv := hubtest.NewServer(t, ptr(withHistory(server.Options{})))
	for range 50 {
		if c := dial(t, srv, client.Options{ClientID: "a"}); c.ID() != "a" || c.Node() != srv.Node() || !c.Connected() {
			t.Fatalf("id %q, node %q, connected: %v", c.ID(), c.Node(), c.Connected())
		}
	}
}

// TestRooms: everything a client does with rooms, against a hub.
func TestRooms(t *testing.T) {
	srv := hubtest.NewServer(t, ptr(withHistory(server.Options{})))
	ctx, seenA, seenB := t.Context(), realRecord(), realRecord()
	a := dial(t, srv, seenA.options(client.Options{ClientID: "a", Compression: true}))
	b := dial(t, srv, seenB.options(client.Options{ClientID: "b"}))
	if a.ID() != "a" || a.Node() != srv.Node() || !a.Connected() || a.Err() != nil {
		t.Errorf("id %q, node %q", a.ID(), a.Node())
	}
	begin := join(t, a, "h1", client.JoinOptions{})
	private := make(chan client.RoomMessage, 1)
	join(t, b, "h1", client.JoinOptions{Handler: func(_ context.Context, m client.RoomMessage) { private <- m }})
	if e := await[client.MemberJoined](t, seenA, 0); e.Room != "h1" || e.Members == 0 {
		t.Errorf("presence %+v", e)
	}
	if _, err := b.Join(ctx, "h1", client.JoinOptions{}); !errors.Is(err, &hub.Error{Code: hub.CodeAlreadyInRoom}) {
		t.Errorf("twice: %v", err)
	}

	receipt, err := a.Publish(ctx, "h1", fields{"text": "hi"})
	if err != nil || receipt.Position == "" || receipt.Scope != "cluster" {
		t.Errorf("published %+v, %v", receipt, err)
	}
	m := <-private
	if m.Room != "h1" || m.Sender != "a" || string(m.Content) != `{"text":"hi"}` || m.Position != receipt.Position || m.Prev != begin.Position || m.Time.IsZero() {
		t.Errorf("got %+v", m)
	}
	again, err := a.PublishWithKey(ctx, "h1", "k", 2)
	if err != nil {
		t.Fatal(err)
	}
	<-private
	if same, err := a.PublishWithKey(ctx, "h1", "k", 2); err != nil || same != again {
		t.Errorf("same key: %+v, %v; want %+v", same, err, again)
	}
	if _, err := b.Publish(ctx, "h1", json.RawMessage(`"from b"`)); err != nil {
		t.Error(err)
	}
	if m := await[client.RoomMessage](t, seenA, 0); m.Sender != "b" || m.Prev != again.Position {
		t.Errorf("got %+v", m)
	}

	members, err := a.Members(ctx, "h1", client.Page{Limit: 1})
	if err != nil || members.Count != 2 || len(members.IDs) != 1 || members.Cursor == "" {
		t.Errorf("members %+v, %v", members, err)
	}
	rest, err := a.Members(ctx, "h1", client.Page{Cursor: members.Cursor})
	if all := slices.Sorted(slices.Values(append(rest.IDs, members.IDs...))); err != nil || !slices.Equal(all, []string{"a", "b"}) || rest.Cursor != "" {
		t.Errorf("members %q, %v", all, err)
	}
	history, err := b.History(ctx, "h1", client.Page{})
	if err != nil || history.Count != 3 || len(history.Messages) != 3 || history.Messages[0].Position != receipt.Position || history.Messages[0].Room != "h1" {
		t.Errorf("history %+v, %v", history, err)
	}
	if err := a.SendDirect(ctx, "b", "psst"); err != nil {
		t.Error(err)
	}
	if m := await[client.DirectMessage](t, seenB, 0); m.Sender != "a" || string(m.Content) != `"psst"` || m.Time.IsZero() {
		t.Errorf("got %+v", m)
	}
	if err := a.SendDirect(ctx, "nobody", 1); !errors.Is(err, &hub.Error{Code: hub.CodeNoClient}) {
		t.Errorf("direct to nobody: %v", err)
	}
	if err := b.Leave(ctx, "h1"); err != nil || len(b.Rooms()) > 0 {
		t.Errorf("leave: %v, rooms %q", err, b.Rooms())
	}
	if e := await[client.MemberLeft](t, seenA, 0); e.Room != "h1" || e.Members != 1 {
		t.Errorf("presence %+v", e)
	}
	if _, err := b.Publish(ctx, "h1", 1); !errors.Is(err, &hub.Error{Code: hub.CodeNotInRoom}) {
		t.Errorf("publish after leaving: %v", err)
	}
	if err := b.CreateRoom(ctx, "made", client.RoomOptions{MaxClients: 1}); err != nil {
		t.Error(err)
	}
	join(t, a, "made", client.JoinOptions{})
	if _, err := b.Join(ctx, "made", client.JoinOptions{}); !errors.Is(err, &hub.Error{Code: hub.CodeRoomFull}) {
		t.Errorf("full: %v", err)
	}
	if err := b.DeleteRoom(ctx, "made"); err != nil {
		t.Error(err)
	}
	if e := await[client.Left](t, seenA, 0); e != (client.Left{Room: "made"}) {
		t.Errorf("got %+v", e)
	}
	if n := count[client.Gap](seenA) + count[client.Duplicate](seenA) + count[client.Fault](seenA); n > 0 {
		t.Errorf("events %+v", seenA.list())
	}
}

func ptr[T any](v T) *T { return &v }

// TestOwnMessages: requests to handlers of the server's own, and its questions.
func TestOwnMessages(t *testing.T) {
	srv := hubtest.NewServer(t, &server.Options{EnableQueryClientID: true}, func(s *server.Server) {
		for name, f := range map[string]func(context.Context, *hub.Client, json.RawMessage) error{
			"echo": func(ctx context.Context, c *hub.Client, data json.RawMessage) error {
				return c.Reply(ctx, "echoed", data)
			},
			"fail": func(context.Context, *hub.Client, json.RawMessage) error { return hub.NewError(10001, "no") },
			"news": func(_ context.Context, c *hub.Client, data json.RawMessage) error {
				return c.SendMessage("paper", data)
			},
			"bytes": func(_ context.Context, c *hub.Client, _ json.RawMessage) error { return c.Send(hub.Binary([]byte{1})) },
		} {
			if err := s.RegisterHandler(name, f); err != nil {
				t.Error(err)
			}
		}
	})
	seen, frames := realRecord(), make(chan hub.Frame, 1)
	opts := seen.options(client.Options{ClientID: "c"})
	opts.OnFrame = func(_ context.Context, f hub.Frame) { frames <- f }
	opts.OnRequest = func(_ context.Context, m client.Message) (any, error) { return fields{"you asked": m.Data}, nil }
	c := dial(t, srv, opts)
	if m, err := c.Request(t.Context(), "echo", []int{1}); err != nil || m.Type != "echoed" || string(m.Data) != "[1]" || m.Time.IsZero() {
		t.Errorf("got %+v, %v", m, err)
	}
	if _, err := c.Request(t.Context(), "fail", nil); !errors.Is(err, &hub.Error{Code: 10001}) {
		t.Errorf("got %v", err)
	}
	if err := c.Send(t.Context(), "news", "x"); err != nil {
		t.Error(err)
	}
	if m := await[client.Message](t, seen, 0); m.Type != "paper" || string(m.Data) != `"x"` {
		t.Errorf("got %+v", m)
	}
	if err := c.Send(t.Context(), "bytes", nil); err != nil {
		t.Error(err)
	}
	if f := <-frames; f.MsgType != hub.BinaryMessage || string(f.Data) != "\x01" {
		t.Errorf("got %+v", f)
	}
	if err := c.Send(t.Context(), "unheard of", nil); err != nil {
		t.Error(err)
	}
	if e := await[client.Fault](t, seen, 0); !errors.As(e.Err, new(*hub.Error)) {
		t.Errorf("got %v", e.Err)
	}
	if answer, err := srv.SDK().Request(t.Context(), "c", "question", 7); err != nil || string(answer) != `{"you asked":7}` {
		t.Errorf("answer %s, %v", answer, err)
	}
	if err := srv.SDK().JoinRoom("made", "c"); err == nil {
		t.Error("a room that does not exist was joined")
	}
	if err := srv.SDK().CreateRoom("made", "", 0); err != nil {
		t.Error(err)
	}
	if err := srv.SDK().JoinRoom("made", "c"); err != nil {
		t.Error(err)
	}
	if e := await[client.Joined](t, seen, 0); e.Room != "made" || !slices.Equal(c.Rooms(), []string{"made"}) {
		t.Errorf("got %+v, rooms %q", e, c.Rooms())
	}
}

// TestReplaced: a newer connection with the same id ends the older client.
func TestReplaced(t *testing.T) {
	srv := hubtest.NewServer(t, &server.Options{EnableQueryClientID: true})
	a := dial(t, srv, client.Options{ClientID: "same"})
	b := dial(t, srv, client.Options{ClientID: "same"})
	<-a.Done()
	if e, ok := errors.AsType[*client.CloseError](a.Err()); !ok || e.Code != hub.CloseReplaced {
		t.Errorf("got %v", a.Err())
	}
	if _, err := b.Request(t.Context(), "ping", nil); err != nil {
		t.Error(err)
	}
}

// admin calls the admin API.
func admin(t *testing.T, srv *hubtest.Server, path, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", srv.URL("http")+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer key")
	req.Header.Set("Content-Type", "application/json")
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode >= 300 {
		t.Fatalf("POST %s: %d %s", path, resp.StatusCode, text)
	}
}

// TestDrain: clients of a hub that drains go in their slots, and resume when
// there is a hub again, without a loss.
func TestDrain(t *testing.T) {
	const clients, before, after = 20, 50, 50
	opts := withHistory(server.Options{APIKey: "key"})
	srv, other := hubtest.NewServer(t, &opts), hubtest.NewServer(t, &opts)
	undrained := make(chan struct{})
	o := quick(client.Options{ClientID: "pub"})
	o.DialContext = unlessDraining(srv, undrained)
	pub := dial(t, srv, o)
	join(t, pub, "h", client.JoinOptions{})
	seen := make([]*record, clients)
	for i := range seen {
		seen[i] = realRecord()
		o := quick(seen[i].options(client.Options{ClientID: fmt.Sprint("c", i)}))
		o.DialContext = unlessDraining(srv, undrained)
		join(t, dial(t, srv, o), "h", client.JoinOptions{})
	}
	// One goes on to another hub, which has no such history.
	moved := realRecord()
	o = quick(moved.options(client.Options{ClientID: "moved", Alternatives: []string{other.URL("ws") + "/ws"}}))
	join(t, dial(t, srv, o), "h", client.JoinOptions{})

	publishAll(t, pub, 0, before)
	admin(t, srv, "/api/v1/drain", `{"delay":"0s","window":"300ms"}`)
	if e := await[client.Rejoined](t, moved, 0); e.Recovered || e.Room != "h" {
		t.Errorf("in another cluster: %+v", e)
	}
	for _, r := range seen {
		if e, ok := errors.AsType[*client.CloseError](await[client.Disconnected](t, r, 0).Err); !ok || e.Code != 1012 {
			t.Errorf("disconnected by %v", await[client.Disconnected](t, r, 0).Err)
		}
	}
	for n := range after / 2 { // they are away: this is what they miss
		if _, err := srv.SDK().Publish(sdk.Publication{Room: "h", Content: []byte(fmt.Sprint(before + n))}); err != nil {
			t.Fatal(err)
		}
	}
	admin(t, srv, "/api/v1/undrain", ``)
	close(undrained)
	publishAll(t, pub, before+after/2, after/2)
	for i, r := range seen {
		for n := range before + after {
			if m := await[client.RoomMessage](t, r, n); string(m.Content) != fmt.Sprint(n) {
				t.Fatalf("client %d: message %d is %s", i, n, m.Content)
			}
		}
		if e := await[client.Rejoined](t, r, 0); !e.Recovered {
			t.Errorf("client %d: %+v", i, e)
		}
		if n := count[client.Gap](r) + count[client.Duplicate](r); n > 0 {
			t.Errorf("client %d: gaps or duplicates", i)
		}
	}
}

// unlessDraining dials when the hub takes clients: it answers others with a
// Retry-After of seconds.
func unlessDraining(srv *hubtest.Server, undrained <-chan struct{}) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if srv.Stats().Draining {
			select {
			case <-undrained:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}

// publishAll publishes numbers to the room "h", whatever happens meanwhile.
func publishAll(t *testing.T, c *client.Client, first, n int) {
	t.Helper()
	for i := first; i < first+n; i++ {
		if _, err := c.Publish(t.Context(), "h", i); err != nil {
			t.Fatalf("publish %d: %v", i, err)
		}
	}
}

// breaker makes connections that a test can cut.
type breaker struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (b *breaker) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err == nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.conns = append(b.conns, conn)
	}
	return conn, err
}

func (b *breaker) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.conns {
		_ = c.Close()
	}
	b.conns = nil
}

// TestCutUnderLoad: two clients that publish to each other's room while their
// connections are cut again and again lose nothing, and publish nothing twice.
func TestCutUnderLoad(t *testing.T) {
	const each, cuts = 500, 20
	opts := withHistory(server.Options{})
	srv := hubtest.NewServer(t, &opts)
	var b breaker
	seen := [2]*record{realRecord(), realRecord()}
	var clients [2]*client.Client
	for i, r := range seen {
		o := quick(r.options(client.Options{ClientID: fmt.Sprint(i)}))
		o.DialContext = b.dial
		clients[i] = dial(t, srv, o)
		join(t, clients[i], "h", client.JoinOptions{})
	}
	var publishing sync.WaitGroup
	for _, c := range clients {
		publishing.Go(func() {
			for n := range each {
				if _, err := c.Publish(t.Context(), "h", n); err != nil {
					t.Errorf("client %s, publish %d: %v", c.ID(), n, err)
				}
			}
		})
	}
	for n := range cuts {
		for i, r := range seen { // both are in the room again
			if n > 0 {
				await[client.Rejoined](t, r, n-1)
			}
			await[client.RoomMessage](t, r, (n+1)*each/cuts/2)
			_ = i
		}
		b.cut()
	}
	publishing.Wait()
	history, err := clients[0].History(t.Context(), "h", client.Page{Limit: 1})
	if err != nil || history.Count != 2*each {
		t.Errorf("%d messages were published, %v; want %d", history.Count, err, 2*each)
	}
	for i, r := range seen {
		other := fmt.Sprint(1 - i)
		for n := 0; n < each; {
			var fromOther []client.RoomMessage
			for _, m := range only[client.RoomMessage](r.list()) {
				if m.Sender == other {
					fromOther = append(fromOther, m)
				}
			}
			if len(fromOther) < each {
				await[client.RoomMessage](t, r, count[client.RoomMessage](r))
				continue
			}
			for ; n < len(fromOther); n++ {
				if string(fromOther[n].Content) != fmt.Sprint(n) {
					t.Fatalf("client %d: message %d is %s", i, n, fromOther[n].Content)
				}
			}
		}
		if n := count[client.Gap](r) + count[client.Duplicate](r); n > 0 {
			t.Errorf("client %d: %+v %+v", i, only[client.Gap](r.list()), only[client.Duplicate](r.list()))
		}
		for _, e := range only[client.Rejoined](r.list()) {
			if !e.Recovered {
				t.Errorf("client %d: %+v", i, e)
			}
		}
	}
}

// TestNotRecovered: a client that was away for too long is told.
func TestNotRecovered(t *testing.T) {
	opts := withHistory(server.Options{})
	srv := hubtest.NewServer(t, &opts)
	pub := dial(t, srv, client.Options{ClientID: "pub"})
	begin := join(t, pub, "small", client.JoinOptions{})
	var last client.Receipt
	for i := range 3 {
		var err error
		if last, err = pub.Publish(t.Context(), "small", i); err != nil {
			t.Fatal(err)
		}
	}
	seen := realRecord()
	c := dial(t, srv, seen.options(client.Options{}))
	if m := join(t, c, "small", client.JoinOptions{Since: begin.Position}); m.Recovered || m.Position != last.Position {
		t.Errorf("too far back: %+v", m)
	}
	if err := c.Leave(t.Context(), "small"); err != nil {
		t.Error(err)
	}
	if m := join(t, c, "small", client.JoinOptions{Since: last.Position}); !m.Recovered {
		t.Errorf("up to date: %+v", m)
	}
}

// TestTokens: a client renews its token in place, and ends when there is none.
func TestTokens(t *testing.T) {
	srv := hubtest.NewServer(t, &server.Options{EnableAuth: true, JWTSecretKey: secret, JWTLeeway: -1})
	issuer, err := auth.NewIssuer(auth.IssuerConfig{SecretKey: secret})
	if err != nil {
		t.Fatal(err)
	}
	token := func(ttl time.Duration) string {
		text, err := issuer.Issue(auth.TokenClaims{Subject: "me", Permissions: []auth.Permission{auth.PermJoinRoom, auth.PermCreateRoom}}, ttl)
		if err != nil {
			t.Error(err)
		}
		return text
	}
	asked := make(chan int, 100)
	n := 0
	seen := realRecord()
	c := dial(t, srv, seen.options(client.Options{Token: func(context.Context) (string, error) {
		n++
		asked <- n
		return token(2 * time.Second), nil
	}}))
	join(t, c, "r", client.JoinOptions{})
	for <-asked < 2 { // the first token is being replaced
		continue
	}
	if _, err := c.Request(t.Context(), "ping", nil); err != nil || count[client.Disconnected](seen) > 0 {
		t.Errorf("%v, events %+v", err, seen.list())
	}
	short := dial(t, srv, client.Options{Token: client.StaticToken(token(time.Second))})
	<-short.Done()
	if e, ok := errors.AsType[*client.CloseError](short.Err()); !ok || e.Code != hub.CloseTokenExpired {
		t.Errorf("ended with %v", short.Err())
	}
	for want, f := range map[int]func(context.Context) (string, error){
		hub.CodeUnauthorized: nil,
		hub.CodeTokenInvalid: client.StaticToken("secret token"),
		hub.CodeTokenExpired: client.StaticToken(token(-time.Second)),
	} {
		_, err := client.Dial(t.Context(), srv.URL("http")+"/ws", client.Options{Token: f})
		if e, ok := errors.AsType[*client.RefusedError](err); !ok || e.Status != 401 || !errors.Is(err, &hub.Error{Code: want}) || strings.Contains(err.Error(), "secret token") {
			t.Errorf("%d: %v", want, err)
		}
	}
}

// TestManyIsCheap: an idle client has one goroutine, and little memory.
func TestManyIsCheap(t *testing.T) {
	const clients = 200
	srv := hubtest.NewServer(t, nil)
	var pool sync.Pool
	dial(t, srv, client.Options{WriteBuffers: &pool})
	goroutines := runtime.NumGoroutine()
	heap := inUse()
	for range clients {
		join(t, dial(t, srv, client.Options{WriteBuffers: &pool}), "r", client.JoinOptions{})
	}
	for runtime.NumGoroutine()-goroutines > clients+20 { // the hub's own are few
		runtime.Gosched()
	}
	if per := (inUse() - heap) / clients; per > 24<<10 {
		t.Errorf("%d bytes a client, the hub's included", per)
	} else {
		t.Logf("%d bytes a client, the hub's included", per)
	}
}

func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
