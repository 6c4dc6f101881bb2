package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/api"
	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

// room is the room of guarded requests; no such room exists, so that whoever
// is let in finds nothing or a mistake.
const room = "chat.a"

// guarded are requests and what they need; needs "" is any credential.
var guarded = []struct {
	method, path string
	ids          []string // in the path
	body         string
	needs        auth.Permission
}{
	{"POST", api.PathPublish, nil, `{"room":"chat.a"}`, auth.PermSendMessage},
	{"POST", api.PathBroadcast, nil, `{}`, auth.PermAdminSystem},
	{"GET", api.PathClient, []string{"c"}, "", auth.PermAdminSystem},
	{"POST", api.PathSend, []string{"c"}, `{}`, auth.PermAdminSystem},
	{"POST", api.PathDisconnect, []string{"c"}, "", auth.PermAdminSystem},
	{"GET", api.PathRooms, nil, "", auth.PermReadMessage},
	{"POST", api.PathRooms, nil, `{"room_id":"chat.a","max_clients":-1}`, auth.PermCreateRoom},
	{"GET", api.PathRoom, []string{room}, "", auth.PermReadMessage},
	{"DELETE", api.PathRoom, []string{room}, "", auth.PermDeleteRoom},
	{"GET", api.PathMembers, []string{room}, "", auth.PermReadMessage},
	{"PUT", api.PathMember, []string{room, "me"}, "", auth.PermJoinRoom},
	{"DELETE", api.PathMember, []string{room, "me"}, "", auth.PermLeaveRoom},
	{"PUT", api.PathMember, []string{room, "other"}, "", auth.PermAdminRoom},
	{"DELETE", api.PathMember, []string{room, "other"}, "", auth.PermAdminRoom},
	{"GET", api.PathHistory, []string{room}, "", auth.PermReadMessage},
	{"GET", api.PathNodes, nil, "", auth.PermAdminSystem},
	{"GET", api.PathStats, nil, "", auth.PermAdminSystem},
	{"POST", api.PathDrain, nil, `{"delay":"x"}`, auth.PermAdminSystem},
	{"POST", api.PathPlainDrain, nil, `{"delay":"x"}`, auth.PermAdminSystem},
	{"POST", api.PathUndrain, nil, "", auth.PermAdminSystem},
	{"GET", api.PathOpenAPI, nil, "", ""},
}

func TestAdminPermissions(t *testing.T) {
	_, a := newAdmin(t, server.Options{EnableAuth: true, JWTSecretKey: jwtSecret, AllowAnonymous: true, AnonymousPermissions: []auth.Permission{"admin:system"}})
	wrongKey, noKey := a.as("wrong"), a.as("")
	expired := a.as(issue(t, auth.TokenClaims{Subject: "me", Permissions: []auth.Permission{"admin:system"}}, -time.Hour))
	for _, g := range guarded {
		path := at(g.path, g.ids...)
		t.Run(g.method+" "+path, func(t *testing.T) {
			check := func(permission auth.Permission, want bool) {
				t.Helper()
				got := a.as(token(t, "me", permission)).do(g.method, path, g.body)
				if got.status == 401 || (got.status != 403) != want {
					t.Errorf("with %q: status %d %s, want let in: %v", permission, got.status, got.body, want)
				}
			}
			for _, p := range auth.AllPermissions() {
				roomGrant := g.needs != auth.PermAdminSystem && p == auth.PermAdminRoom
				want := g.needs == "" || p == g.needs || p == auth.PermAdminSystem || roomGrant
				check(p, want)
				if p != auth.PermAdminSystem {
					check(p+":chat.*", want)
					// Of the list of rooms a pattern shows what it covers.
					check(p+":other.*", g.needs == "" || want && g.path == api.PathRooms && g.method == "GET")
				}
			}
			check("unknown", g.needs == "")
			check("", g.needs == "")
			if got := a.do(g.method, path, g.body); got.status == 401 || got.status == 403 {
				t.Errorf("with the key: status %d", got.status)
			}
			wrongKey.refused(401, hub.CodeTokenInvalid, "wrong", g.method, path, g.body)
			noKey.refused(401, hub.CodeUnauthorized, "is needed", g.method, path, g.body)
			expired.refused(401, hub.CodeTokenExpired, "expired", g.method, path, g.body)
		})
	}
}

// TestAdminGuardsEveryRoute holds the table above against the routes.
func TestAdminGuardsEveryRoute(t *testing.T) {
	for _, route := range server.AdminRoutes() {
		found := false
		for _, g := range guarded {
			found = found || g.method == route[0] && g.path == route[1]
		}
		if !found {
			t.Errorf("%v is not tested", route)
		}
	}
}

func TestAdminChallenges(t *testing.T) {
	_, a := newAdmin(t, server.Options{EnableAuth: true, JWTSecretKey: jwtSecret})
	for _, tt := range []struct {
		credential, challenge string
		status                int
	}{
		{"", `Bearer realm="gohub"`, 401},
		{"guessed", `Bearer realm="gohub", error="invalid_token"`, 401},
		{adminKey + "x", `Bearer realm="gohub", error="invalid_token"`, 401},
		{adminKey[1:], `Bearer realm="gohub", error="invalid_token"`, 401},
		{token(t, "me"), `Bearer realm="gohub", error="insufficient_scope"`, 403},
		{adminKey, "", 200},
		{token(t, "me", "admin:system"), "", 200},
	} {
		got := a.as(tt.credential).do("GET", api.PathStats, "")
		if challenge := got.header.Get("WWW-Authenticate"); got.status != tt.status || challenge != tt.challenge {
			t.Errorf("%q: got %d %q", tt.credential, got.status, challenge)
		}
		if got.header.Get("Cache-Control") != "no-store" || got.header.Get("Access-Control-Allow-Origin") != "" || strings.Contains(string(got.body), tt.credential) && tt.credential != "" {
			t.Errorf("%q: got %v %s", tt.credential, got.header, got.body)
		}
	}
	for _, header := range []string{adminKey, "Basic " + adminKey, "Bearer", "Bearer ", "Bearer" + adminKey} {
		if got := a.as("").send("GET", api.PathStats, "", http.Header{"Authorization": {header}}); got.status != 401 {
			t.Errorf("%q: status %d", header, got.status)
		}
	}
	for _, header := range []string{"bearer " + adminKey, "BEARER  " + adminKey} {
		if got := a.as("").send("GET", api.PathStats, "", http.Header{"Authorization": {header}}); got.status != 200 {
			t.Errorf("%q: status %d", header, got.status)
		}
	}
	if got := a.as("").do("GET", api.PathStats+"?token="+token(t, "me", "admin:system"), ""); got.status != 401 {
		t.Errorf("a token in the query: status %d", got.status)
	}
}

func TestAdminKeyAlone(t *testing.T) {
	_, a := newAdmin(t, server.Options{})
	a.want(200, "GET", api.PathStats, "", nil)
	a.as(token(t, "me", "admin:system")).refused(401, hub.CodeUnauthorized, "the key is wrong", "GET", api.PathStats, "")
}

func TestAdminTokenAlone(t *testing.T) {
	srv := hubtest.NewServer(t, &server.Options{EnableAuth: true, JWTSecretKey: jwtSecret})
	a := &admin{t: t, base: srv.URL("http"), credential: token(t, "me", "admin:system")}
	a.want(200, "GET", api.PathStats, "", nil)
	a.as(adminKey).refused(401, hub.CodeTokenInvalid, "wrong", "GET", api.PathStats, "")
}

func TestAdminWithoutVerificationKeys(t *testing.T) {
	srv := hubtest.NewServer(t, &server.Options{EnableAuth: true, JWKSURL: "http://127.0.0.1:1/keys", JWTAlgorithm: "RS256"})
	a := &admin{t: t, base: srv.URL("http"), credential: rs256Token}
	a.refused(503, hub.CodeServer, "cannot be checked", "GET", api.PathStats, "")
}

// rs256Token has the form of a token; no key was ever made for it.
const rs256Token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.AAAA"

func TestAdminOff(t *testing.T) {
	srv := hubtest.NewServer(t, nil)
	a := &admin{t: t, base: srv.URL("http")}
	for _, route := range server.AdminRoutes() {
		for _, credential := range []string{"", "x"} {
			if got := a.as(credential).do(route[0], at(route[1], ids(route[1])...), ""); got.status != 404 {
				t.Errorf("%v: status %d", route, got.status)
			}
		}
	}
}
