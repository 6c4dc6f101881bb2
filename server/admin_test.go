package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/api"
	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

const (
	adminKey  = "the-key-of-the-admin-api"
	jwtSecret = "a secret of the tests with 32 bytes"
)

// admin calls the admin API with one credential.
type admin struct {
	t          *testing.T
	base       string
	credential string // "": none
}

func newAdmin(t *testing.T, opts server.Options, setup ...func(*server.Server)) (*hubtest.Server, *admin) {
	t.Helper()
	opts.APIKey = adminKey
	opts.EnableQueryClientID = true
	srv := hubtest.NewServer(t, &opts, setup...)
	return srv, &admin{t: t, base: srv.URL("http"), credential: adminKey}
}

// as is the same with another credential.
func (a *admin) as(credential string) *admin {
	return &admin{t: a.t, base: a.base, credential: credential}
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends body, if it is not "", as JSON.
func (a *admin) do(method, path, body string) answer {
	a.t.Helper()
	var header http.Header
	if body != "" {
		header = http.Header{"Content-Type": {"application/json"}}
	}
	return a.send(method, path, body, header)
}

func (a *admin) send(method, path, body string, header http.Header) answer {
	a.t.Helper()
	r, err := http.NewRequest(method, a.base+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if a.credential != "" {
		r.Header.Set("Authorization", "Bearer "+a.credential)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, data}
}

// want sends a request that must be answered with the status; it reads the
// answer into v unless that is nil.
func (a *admin) want(status int, method, path, body string, v any) {
	a.t.Helper()
	got := a.do(method, path, body)
	if got.status != status {
		a.t.Fatalf("%s %s: status %d %s, want %d", method, path, got.status, got.body, status)
	}
	if v == nil {
		return
	}
	d := json.NewDecoder(bytes.NewReader(got.body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		a.t.Fatalf("%s %s: %v in %s", method, path, err, got.body)
	}
}

// refused sends a request that must be answered with the status and an error
// with the code, whose text contains the words.
func (a *admin) refused(status, code int, words, method, path, body string) {
	a.t.Helper()
	var e api.Error
	a.want(status, method, path, body, &e)
	if e.Code != code || !strings.Contains(e.Message, words) {
		a.t.Errorf("%s %s %s: got %d %q, want %d %q", method, path, body, e.Code, e.Message, code, words)
	}
}

// connect returns a client that the hub knows: the answer to a handshake comes
// a moment before.
func connect(t *testing.T, srv *hubtest.Server, opts ...hubtest.Option) *hubtest.Client {
	t.Helper()
	c := srv.Dial(t, opts...)
	c.Request("ping", nil)
	return c
}

// at fills the segments of a path with percent-encoded ids.
func at(path string, ids ...string) string {
	for _, id := range ids {
		var escaped strings.Builder
		for _, b := range []byte(id) {
			fmt.Fprintf(&escaped, "%%%02X", b)
		}
		begin, end := strings.IndexByte(path, '{'), strings.IndexByte(path, '}')
		path = path[:begin] + escaped.String() + path[end+1:]
	}
	return path
}

func token(t *testing.T, subject string, permissions ...auth.Permission) string {
	t.Helper()
	return issue(t, auth.TokenClaims{Subject: subject, Permissions: permissions}, time.Hour)
}

func issue(t *testing.T, claims auth.TokenClaims, ttl time.Duration) string {
	t.Helper()
	issuer, err := auth.NewIssuer(auth.IssuerConfig{SecretKey: jwtSecret})
	if err != nil {
		t.Fatal(err)
	}
	text, err := issuer.Issue(claims, ttl)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func data[T any](t *testing.T, m hubtest.Message) (v T) {
	t.Helper()
	if err := json.Unmarshal(m.Data, &v); err != nil {
		t.Fatalf("%s: %v", m.Data, err)
	}
	return v
}

// roomMessage is the data of a room_message, and of what looks like one.
type roomMessage struct {
	RoomID    string          `json:"room_id"`
	Content   json.RawMessage `json:"content"`
	SenderID  string          `json:"sender_id"`
	Timestamp int64           `json:"timestamp"`
	Position  string          `json:"position"`
}

func TestAdminPublish(t *testing.T) {
	srv, a := newAdmin(t, server.Options{Rooms: []server.RoomRule{{Pattern: "log.*", HistorySize: 5}}})
	alice, bob := connect(t, srv, hubtest.ID("alice")), connect(t, srv, hubtest.ID("bob"))
	alice.Join("log.a")
	bob.Join("log.a")

	var sent, again api.PublishResponse
	body := `{"room":"log.a","content":{"html":"<b>&"},"sender_id":"backend","idempotency_key":"k","exclude":["bob","nobody"]}`
	a.want(200, "POST", api.PathPublish, body, &sent)
	a.want(200, "POST", api.PathPublish, body, &again)
	if sent.Position == "" || sent.Scope != api.ScopeCluster || again != sent {
		t.Errorf("got %+v and again %+v", sent, again)
	}
	m := data[roomMessage](t, alice.Expect("room_message"))
	if m.RoomID != "log.a" || string(m.Content) != `{"html":"<b>&"}` || m.SenderID != "backend" || m.Position != sent.Position {
		t.Errorf("got %+v", m)
	}
	alice.Silent()
	bob.Silent()

	a.want(200, "POST", api.PathPublish, `{"room":"log.a","content":null}`, nil)
	if m := data[roomMessage](t, bob.Expect("room_message")); string(m.Content) != "null" || m.SenderID != "" {
		t.Errorf("got %+v", m)
	}
	for _, tt := range []struct {
		status, code int
		words, body  string
	}{
		{404, hub.CodeRoomNotFound, "room not found", `{"room":"none","content":1}`},
		{400, hub.CodeFormat, "room is missing", `{"content":1}`},
		{400, hub.CodeFormat, "content is missing", `{"room":"log.a"}`},
		{400, hub.CodeFormat, "idempotency_key is longer than 512", `{"room":"log.a","content":1,"idempotency_key":"` + strings.Repeat("k", 513) + `"}`},
		{400, hub.CodeFormat, "sender_id holds a control character", `{"room":"log.a","content":1,"sender_id":"a\nb"}`},
		{413, hub.CodeTooLarge, "65536 bytes", `{"room":"log.a","content":"` + strings.Repeat("x", 64<<10) + `"}`},
		{413, hub.CodeTooLarge, "81920 bytes", `{"room":"log.a","content":"` + strings.Repeat("x", 90<<10) + `"}`},
	} {
		a.refused(tt.status, tt.code, tt.words, "POST", api.PathPublish, tt.body)
	}
	bob.Silent()
}

func TestAdminPublishWithAToken(t *testing.T) {
	srv, a := newAdmin(t, server.Options{EnableAuth: true, JWTSecretKey: jwtSecret})
	reader := connect(t, srv, hubtest.Token(token(t, "reader", "admin:system")))
	reader.Join("chat")
	alice, bob := a.as(token(t, "alice", "send:message:chat")), a.as(token(t, "bob", "send:message"))

	alice.want(200, "POST", api.PathPublish, `{"room":"chat","content":1,"idempotency_key":"k"}`, nil)
	alice.want(200, "POST", api.PathPublish, `{"room":"chat","content":2,"idempotency_key":"k","sender_id":"alice"}`, nil)
	bob.want(200, "POST", api.PathPublish, `{"room":"chat","content":3,"idempotency_key":"k"}`, nil)
	alice.refused(403, hub.CodeForbidden, "another sender_id", "POST", api.PathPublish, `{"room":"chat","content":4,"sender_id":"bob"}`)
	for _, want := range []roomMessage{{Content: json.RawMessage("1"), SenderID: "alice"}, {Content: json.RawMessage("3"), SenderID: "bob"}} {
		if m := data[roomMessage](t, reader.Expect("room_message")); string(m.Content) != string(want.Content) || m.SenderID != want.SenderID {
			t.Errorf("got %+v, want %+v", m, want)
		}
	}
	reader.Silent()
}

func TestAdminBroadcastAndSend(t *testing.T) {
	srv, a := newAdmin(t, server.Options{})
	alice, bob := connect(t, srv, hubtest.ID("alice")), connect(t, srv, hubtest.ID("bob"))

	var sent api.BroadcastResponse
	a.want(200, "POST", api.PathBroadcast, `{"content":"<hello>"}`, &sent)
	a.want(200, "POST", api.PathBroadcast, `{"message_type":"news","content":{"n":1}}`, nil)
	if sent.Scope != api.ScopeCluster {
		t.Errorf("got %+v", sent)
	}
	for _, c := range []*hubtest.Client{alice, bob} {
		if m := data[roomMessage](t, c.Expect("broadcast")); string(m.Content) != `"<hello>"` || m.SenderID != "" || m.Timestamp == 0 {
			t.Errorf("got %+v", m)
		}
		if m := c.Expect("news"); string(m.Data) != `{"n":1}` || m.Timestamp == 0 {
			t.Errorf("got %+v", m)
		}
	}

	a.want(204, "POST", at(api.PathSend, "alice"), `{"content":[1]}`, nil)
	if m := data[roomMessage](t, alice.Expect("direct_message")); string(m.Content) != `[1]` || m.SenderID != "" || m.Timestamp == 0 {
		t.Errorf("got %+v", m)
	}
	a.want(204, "POST", at(api.PathSend, "alice"), `{"message_type":"task","content":"<x>"}`, nil)
	if m := alice.Expect("task"); string(m.Data) != `"<x>"` {
		t.Errorf("got %+v", m)
	}
	bob.Silent()
	a.refused(404, hub.CodeNoClient, "no such client", "POST", at(api.PathSend, "carol"), `{"content":1}`)
	a.refused(400, hub.CodeFormat, "content is missing", "POST", at(api.PathSend, "alice"), `{}`)
	a.refused(400, hub.CodeFormat, "content is missing", "POST", api.PathBroadcast, `{"message_type":"x"}`)
	a.refused(400, hub.CodeFormat, "message_type", "POST", api.PathBroadcast, `{"content":1,"message_type":"a\u0000"}`)
}

func TestAdminClient(t *testing.T) {
	srv, a := newAdmin(t, server.Options{EnableAuth: true, AllowAnonymous: true, JWTSecretKey: jwtSecret})
	text := issue(t, auth.TokenClaims{Subject: "alice", UserID: "17", Username: "Alice", Permissions: []auth.Permission{"admin:room"}}, time.Hour)
	alice := connect(t, srv, hubtest.Token(text), hubtest.Subprotocols("gohub.v1"))
	alice.Join("b")
	alice.Join("a")
	var c api.Client
	a.want(200, "GET", at(api.PathClient, "alice"), "", &c)
	if c.ID != "alice" || c.UserID != "17" || c.Username != "Alice" || c.Subprotocol != "gohub.v1" || c.Node != srv.Node() ||
		!slices.Equal(c.Rooms, []string{"a", "b"}) || !slices.Equal(c.Permissions, []string{"admin:room"}) ||
		!strings.HasPrefix(c.RemoteAddr, "127.0.0.1:") || time.Since(c.ConnectedAt) > time.Minute ||
		c.ExpiresAt == nil || time.Until(*c.ExpiresAt) < time.Minute {
		t.Errorf("got %+v", c)
	}

	_ = connect(t, srv, hubtest.ID("guest"))
	a.want(200, "GET", at(api.PathClient, "anon:guest"), "", &c)
	var plain api.Client
	a.want(200, "GET", at(api.PathClient, "anon:guest"), "", &plain)
	if plain.ExpiresAt != nil || plain.Permissions != nil || plain.Rooms == nil || plain.Subprotocol != "" {
		t.Errorf("got %+v", plain)
	}
	a.refused(404, hub.CodeNoClient, "no such client", "GET", at(api.PathClient, "nobody"), "")
}

func TestAdminDisconnect(t *testing.T) {
	srv, a := newAdmin(t, server.Options{})
	path := at(api.PathDisconnect, "alice")
	for _, tt := range []struct {
		body, reason string
		code         int
	}{
		{"", "disconnected by an administrator", 1000},
		{`{}`, "disconnected by an administrator", 1000},
		{`{"code":4003,"reason":"account closed"}`, "account closed", 4003},
		{`{"code":1013,"reason":""}`, "", 1013},
	} {
		alice := connect(t, srv, hubtest.ID("alice"))
		a.want(204, "POST", path, tt.body, nil)
		if code, reason := alice.ExpectClose(); code != tt.code || reason != tt.reason {
			t.Errorf("%s: got %d %q", tt.body, code, reason)
		}
	}
	a.refused(404, hub.CodeNoClient, "no such client", "POST", at(api.PathDisconnect, "nobody"), "")
	for _, code := range []int{-1, 0, 999, 1004, 1005, 1006, 1014, 1015, 2999, 5000} {
		a.refused(400, hub.CodeFormat, "code must be", "POST", path, fmt.Sprintf(`{"code":%d}`, code))
	}
	a.refused(400, hub.CodeFormat, "reason is longer", "POST", path, `{"reason":"`+strings.Repeat("é", 62)+`"}`)
}

func TestAdminUsersRoutesGoBeside(t *testing.T) {
	_, a := newAdmin(t, server.Options{}, func(s *server.Server) {
		s.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
		s.HandleFunc("GET /api/v1/mine", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
		s.HandleFunc("/api/v2/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	})
	a.want(200, "GET", api.PathStats, "", nil)
	for _, path := range []string{"/", "/api/v1/mine", "/api/v2/stats"} {
		a.want(http.StatusTeapot, "GET", path, "", nil)
	}
}

func TestAdminOnItsOwnAddress(t *testing.T) {
	_, a := newAdmin(t, server.Options{AdminAddress: "127.0.0.1:0"})
	for _, route := range server.AdminRoutes() {
		if got := a.do(route[0], at(route[1], ids(route[1])...), ""); got.status != 404 {
			t.Errorf("%v on the main address: status %d", route, got.status)
		}
	}
}

// ids are as many ids as the path has segments for.
func ids(path string) []string { return []string{"a", "b"}[:strings.Count(path, "{")] }
