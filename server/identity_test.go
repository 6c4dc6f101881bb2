package server_test

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

var guestForm = regexp.MustCompile(`^guest-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// wantClients waits until the hub has n clients: a client may see the end of
// its connection a moment before the hub has forgotten it.
func wantClients(t testing.TB, srv *hubtest.Server, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d clients", n), func() bool { return srv.SDK().GetClientCount() == n })
}

func TestIdentity(t *testing.T) {
	auth := func(change func(*server.Options)) server.Options {
		opts := withTokens()
		opts.AllowAnonymous = true
		change(&opts)
		return opts
	}
	token := hubtest.Token(tokenFor(t, "alice"))
	for _, tt := range []struct {
		name string
		opts server.Options
		dial []hubtest.Option
		id   string // "": a guest
	}{
		{"guest", server.Options{}, nil, ""},
		{"query id not enabled", server.Options{}, []hubtest.Option{hubtest.ID("bob")}, ""},
		{"query id not enabled, but named", server.Options{QueryClientIDParam: "uid"}, []hubtest.Option{hubtest.Query("uid", "bob")}, ""},
		{"query id without a parameter", server.Options{}, []hubtest.Option{hubtest.Query("", "bob")}, ""},
		{"query id", queryIDs, []hubtest.Option{hubtest.ID("bob")}, "bob"},
		{"query id empty", queryIDs, []hubtest.Option{hubtest.ID("")}, ""},
		{"query id of 512 bytes", queryIDs, []hubtest.Option{hubtest.ID(strings.Repeat("é", 256))}, strings.Repeat("é", 256)},
		{"query id is data", queryIDs, []hubtest.Option{hubtest.ID(" > * / +&%")}, " > * / +&%"},
		{"other parameter", server.Options{EnableQueryClientID: true, QueryClientIDParam: "uid"}, []hubtest.Option{hubtest.Query("uid", "bob")}, "bob"},
		{"not the other parameter", server.Options{EnableQueryClientID: true, QueryClientIDParam: "uid"}, []hubtest.Option{hubtest.ID("bob")}, ""},
		{"token while authentication is off", queryIDs, []hubtest.Option{token, hubtest.ID("bob")}, "bob"},
		{"sub", withTokens(), []hubtest.Option{token}, "alice"},
		{"sub before query id", auth(func(o *server.Options) { o.EnableQueryClientID = true }), []hubtest.Option{token, hubtest.ID("bob")}, "alice"},
		{"anonymous guest", auth(func(*server.Options) {}), nil, ""},
		{"anonymous query id", auth(func(o *server.Options) { o.EnableQueryClientID = true }), []hubtest.Option{hubtest.ID("bob")}, "anon:bob"},
		{"anonymous query id not enabled", auth(func(*server.Options) {}), []hubtest.Option{hubtest.ID("bob")}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := start(t, tt.opts, whoami(t))
			got := who(t, srv.Dial(t, tt.dial...)).ID
			if tt.id != "" && got != tt.id || tt.id == "" && !guestForm.MatchString(got) {
				t.Errorf("id %q, want %q", got, tt.id)
			}
		})
	}
}

func TestGuestsDiffer(t *testing.T) {
	srv := start(t, server.Options{}, whoami(t))
	seen := map[string]bool{}
	for range 20 {
		seen[who(t, srv.Dial(t)).ID] = true
	}
	if len(seen) != 20 {
		t.Errorf("%d ids for 20 guests", len(seen))
	}
}

func TestBadQueryIDs(t *testing.T) {
	opts := withTokens()
	opts.AllowAnonymous, opts.EnableQueryClientID = true, true
	anonymous := start(t, opts)
	plain := start(t, queryIDs)
	for name, id := range map[string]string{
		"513 bytes": strings.Repeat("x", 513), "line break": "a\nb", "zero": "a\x00", "delete": "\x7f", "C1": "a\u0085", "not UTF-8": "\xff",
	} {
		t.Run(name, func(t *testing.T) {
			for _, srv := range []*hubtest.Server{plain, anonymous} {
				if reason, _ := wantRefused(t, srv, 400, hub.CodeFormat, hubtest.ID(id)); !strings.Contains(reason, "client_id") {
					t.Errorf("reason %q", reason)
				}
			}
		})
	}
	// With its prefix an anonymous id is no longer than others.
	wantRefused(t, anonymous, 400, hub.CodeFormat, hubtest.ID(strings.Repeat("x", 512)))
	anonymous.Dial(t, hubtest.ID(strings.Repeat("x", 507)))
}

func TestDuplicateReplace(t *testing.T) {
	srv := start(t, queryIDs)
	other := srv.Dial(t, hubtest.ID("other"))
	other.Join("room")
	old := srv.Dial(t, hubtest.ID("bob"))
	old.Join("room")
	fresh := srv.Dial(t, hubtest.ID("bob"))
	if code, reason := old.ExpectClose(); code != hub.CloseReplaced || reason == "" {
		t.Errorf("old: closed with %d %q", code, reason)
	}
	fresh.Silent()
	other.Request("direct_message", fields{"target_id": "bob", "content": 1})
	fresh.Expect("direct_message")
	if m := fresh.Request("room_message", fields{"room_id": "room", "content": 1}); m.ErrorCode() != hub.CodeNotInRoom {
		t.Errorf("it took the old one's rooms over: %s %s", m.Type, m.Data)
	}
}

// TestDuplicateReplaceAtOnce: of several that come at the same time one stays.
func TestDuplicateReplaceAtOnce(t *testing.T) {
	srv := start(t, queryIDs)
	for range 20 {
		var dialling sync.WaitGroup
		clients := make([]*hubtest.Client, 5)
		for i := range clients {
			dialling.Go(func() { clients[i], _, _ = srv.TryDial(t, hubtest.ID("bob")) })
		}
		dialling.Wait()
		wantClients(t, srv, 1)
		if err := srv.SDK().DisconnectClient("bob", 4000, ""); err != nil {
			t.Fatal(err)
		}
		closed := map[int]int{}
		for _, c := range clients {
			code, _ := c.ExpectClose()
			closed[code]++
			c.Drop()
		}
		if closed[4000] != 1 || closed[hub.CloseReplaced] != len(clients)-1 {
			t.Fatalf("closed with %v", closed)
		}
		wantClients(t, srv, 0)
	}
}

func TestDuplicateReject(t *testing.T) {
	srv := start(t, server.Options{EnableQueryClientID: true, DuplicateID: server.DuplicateReject})
	old := srv.Dial(t, hubtest.ID("bob"))
	old.Silent()
	wantRefused(t, srv, 409, hub.CodeForbidden, hubtest.ID("bob"))
	old.Silent()
	srv.Dial(t, hubtest.ID("Bob"))
	old.Close()
	wantClients(t, srv, 1)
	srv.Dial(t, hubtest.ID("bob")).Silent() // free again
}

// TestDuplicateRejectAtOnce: of several that come at the same time one stays.
func TestDuplicateRejectAtOnce(t *testing.T) {
	srv := start(t, server.Options{EnableQueryClientID: true, DuplicateID: server.DuplicateReject})
	for range 30 {
		var dialling sync.WaitGroup
		clients := make([]*hubtest.Client, 4)
		for i := range clients {
			dialling.Go(func() { clients[i], _, _ = srv.TryDial(t, hubtest.ID("bob")) })
		}
		dialling.Wait()
		if n := srv.SDK().GetClientCount(); n != 1 {
			t.Fatalf("%d clients", n)
		}
		if err := srv.SDK().DisconnectClient("bob", 4000, ""); err != nil {
			t.Fatal(err)
		}
		closed := map[int]int{}
		for _, c := range clients {
			if c != nil { // else it got 409
				code, _ := c.ExpectClose()
				closed[code]++
				c.Drop()
			}
		}
		one := closed[4000]
		delete(closed, 4000)
		delete(closed, hub.CloseReplaced) // let in, and found to be one too many
		if one != 1 || len(closed) > 0 {
			t.Fatalf("%d stayed, others were closed with %v", one, closed)
		}
		wantClients(t, srv, 0)
	}
}

func TestDuplicateAllow(t *testing.T) {
	srv := start(t, server.Options{EnableQueryClientID: true, DuplicateID: server.DuplicateAllow})
	other := srv.Dial(t)
	bobs := []*hubtest.Client{srv.Dial(t, hubtest.ID("bob")), srv.Dial(t, hubtest.ID("bob")), srv.Dial(t, hubtest.ID("bob"))}
	tell := func(to []*hubtest.Client, code int) {
		t.Helper()
		for _, c := range to {
			c.Silent()
		}
		if m := other.Request("direct_message", fields{"target_id": "bob", "content": 1}); m.ErrorCode() != code {
			t.Errorf("%s %s, want error %d", m.Type, m.Data, code)
		}
		for _, c := range to {
			c.Expect("direct_message")
			c.Silent()
		}
	}
	bobs[0].Join("room")
	bobs[1].Join("room") // memberships are the connection's
	if m := bobs[2].Request("room_message", fields{"room_id": "room", "content": 1}); m.ErrorCode() != hub.CodeNotInRoom {
		t.Errorf("the third is in the room: %s %s", m.Type, m.Data)
	}
	bobs[0].Send("room_message", fields{"room_id": "room", "content": 1})
	bobs[1].Expect("room_message")
	tell(bobs, 0)
	bobs[1].Close() // one between two others
	wantClients(t, srv, 3)
	tell([]*hubtest.Client{bobs[0], bobs[2]}, 0)
	bobs[2].Close() // the newest
	wantClients(t, srv, 2)
	tell(bobs[:1], 0)
	bobs[0].Close()
	wantClients(t, srv, 1)
	tell(nil, hub.CodeNoClient)
}

func TestRemoteAddr(t *testing.T) {
	forwarded := func(values ...string) (opts []hubtest.Option) {
		for _, v := range values {
			opts = append(opts, hubtest.Header("X-Forwarded-For", v))
		}
		return opts
	}
	for _, tt := range []struct {
		name    string
		trusted []string
		dial    []hubtest.Option
		address string // "": the peer's
	}{
		{"none trusted", nil, forwarded("203.0.113.7"), ""},
		{"another trusted", []string{"10.0.0.0/8"}, forwarded("203.0.113.7"), ""},
		{"nothing forwarded", []string{"127.0.0.1"}, nil, ""},
		{"trusted", []string{"127.0.0.1"}, forwarded("203.0.113.7"), "203.0.113.7"},
		{"IPv6", []string{"127.0.0.0/8"}, forwarded("2001:db8::1"), "2001:db8::1"},
		{"the last that is not trusted", []string{"127.0.0.0/8", "10.0.0.0/8"}, forwarded("6.6.6.6, 203.0.113.7, 10.1.2.3"), "203.0.113.7"},
		{"several lines", []string{"127.0.0.1", "10.1.2.3"}, forwarded("6.6.6.6", "203.0.113.7", "10.1.2.3"), "203.0.113.7"},
		{"garbage", []string{"127.0.0.1"}, forwarded("who knows"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := start(t, server.Options{TrustedProxies: tt.trusted}, whoami(t))
			c := srv.Dial(t, tt.dial...)
			want := tt.address
			if want == "" {
				want = c.Conn().LocalAddr().String()
			}
			got := who(t, c).Address
			if got != want {
				t.Errorf("address %q, want %q", got, want)
			}
			_, errHost := netip.ParseAddr(got)
			_, errPort := netip.ParseAddrPort(got)
			if errHost != nil && errPort != nil {
				t.Errorf("%q is no address", got)
			}
		})
	}
}
