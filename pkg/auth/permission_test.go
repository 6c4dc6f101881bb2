package auth_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/pkg/auth"
)

// roomPermissions are those that admin:room implies, with itself.
func roomPermissions() []auth.Permission {
	return []auth.Permission{
		"read:message", "send:message", "create:room", "delete:room", "join:room", "leave:room", "admin:room",
	}
}

func TestAllPermissions(t *testing.T) {
	want := append(roomPermissions(), "admin:system")
	got := auth.AllPermissions()
	if !slices.Equal(got, want) {
		t.Fatalf("AllPermissions() = %q, want %q", got, want)
	}
	got[0] = "changed"
	if auth.AllPermissions()[0] != auth.PermReadMessage {
		t.Error("a caller changed the list of others")
	}
}

// Every grant against every permission: what implies what.
func TestGrantImplies(t *testing.T) {
	implied := func(grant, p auth.Permission) bool {
		return grant == p || grant == auth.PermAdminSystem ||
			(grant == auth.PermAdminRoom && slices.Contains(roomPermissions(), p))
	}
	for _, grant := range auth.AllPermissions() {
		for _, p := range auth.AllPermissions() {
			claims := &auth.TokenClaims{Permissions: []auth.Permission{grant}}
			want := implied(grant, p)
			if got := claims.HasPermission(p); got != want {
				t.Errorf("%s: HasPermission(%s) = %v, want %v", grant, p, got, want)
			}
			if got := claims.HasRoomPermission(p, "any"); got != want {
				t.Errorf("%s: HasRoomPermission(%s) = %v, want %v", grant, p, got, want)
			}
		}
	}
}

// Every grant with a pattern against every permission.
func TestPatternGrantImplies(t *testing.T) {
	for _, grant := range auth.AllPermissions() {
		for _, p := range auth.AllPermissions() {
			granted := []auth.Permission{grant + ":chat.*"}
			if auth.HasPermission(granted, p) {
				t.Errorf("%s:chat.*: HasPermission(%s), want only rooms", grant, p)
			}
			if auth.HasRoomPermission(granted, p, "news.1") {
				t.Errorf("%s:chat.*: HasRoomPermission(%s) for another room", grant, p)
			}
			want := grant != auth.PermAdminSystem && p != auth.PermAdminSystem &&
				(grant == p || grant == auth.PermAdminRoom)
			if got := auth.HasRoomPermission(granted, p, "chat.1"); got != want {
				t.Errorf("%s:chat.*: HasRoomPermission(%s, chat.1) = %v, want %v", grant, p, got, want)
			}
		}
	}
}

func TestRoomPatterns(t *testing.T) {
	tests := []struct {
		pattern, room string
		want          bool
	}{
		{"chat.*", "chat.1", true},
		{"chat.*", "chat.", true},
		{"chat.*", "chat.a.b.c", true},
		{"chat.*", "chat", false},
		{"chat.*", "xchat.1", false},
		{"chat", "chat", true},
		{"chat", "chats", false},
		{"chat", "cha", false},
		{"*", "anything at all", true},
		{"*", "", true},
		{"**", "x", true},
		{"*.eu", "chat.eu", true},
		{"*.eu", "chat.eu.x", false},
		{"a*b", "ab", true},
		{"a*a", "a", false},
		{"a*bc*c", "abc", false},
		{"a*bc*c", "abcc", true},
		{"a*b*a*b", "abxab", true},
		{"a*b*c", "axxc", false},
		{"*ab", "aab", true},
		{"*aab", "aaab", true},
		{"chat.?", "chat.1", false},
		{"chat.?", "chat.?", true},
		{"[ab]", "a", false},
		{"c.at", "chat", false},
		{"chat:*", "chat:1", true},
		{">", ">", true},
		{">", "x", false},
		{"raum-ü*", "raum-über", true},
		{"Chat", "chat", false},
	}
	for _, tt := range tests {
		granted := []auth.Permission{auth.PermJoinRoom + ":" + auth.Permission(tt.pattern)}
		if got := auth.HasRoomPermission(granted, auth.PermJoinRoom, tt.room); got != tt.want {
			t.Errorf("pattern %q, room %q: %v, want %v", tt.pattern, tt.room, got, tt.want)
		}
	}
}

func TestGrantsThatGrantNothing(t *testing.T) {
	for _, grant := range []auth.Permission{
		"", ":", "join", "join:", "join:rooms", "join:roomx", "join:room:", "JOIN:ROOM", " join:room",
		"*", "*:*", "join:*", "admin:*", "admin", "admin:system:*", "admin:system:", "orders:write",
	} {
		granted := []auth.Permission{grant}
		for _, p := range auth.AllPermissions() {
			if auth.HasPermission(granted, p) || auth.HasRoomPermission(granted, p, "r") || auth.HasRoomPermission(granted, p, "") {
				t.Errorf("%q grants %s", grant, p)
			}
		}
	}
}

func TestSeveralGrantsAndOwnPermissions(t *testing.T) {
	granted := []auth.Permission{"read:message:news.*", "join:room:chat.*", "orders:write", "orders:read:eu.*"}
	if !auth.HasRoomPermission(granted, auth.PermJoinRoom, "chat.1") || !auth.HasRoomPermission(granted, auth.PermReadMessage, "news.1") {
		t.Error("a later or an earlier grant does not count")
	}
	if auth.HasRoomPermission(granted, auth.PermJoinRoom, "news.1") {
		t.Error("patterns of two permissions are mixed")
	}
	if !auth.HasPermission(granted, "orders:write") || !auth.HasRoomPermission(granted, "orders:read", "eu.1") {
		t.Error("a permission of the user's own does not work")
	}
	if auth.HasPermission([]auth.Permission{auth.PermAdminRoom}, "orders:write") {
		t.Error("admin:room implies a permission of the user's own")
	}
	if !auth.HasPermission([]auth.Permission{auth.PermAdminSystem}, "orders:write") {
		t.Error("admin:system does not imply everything")
	}
}

func TestNilClaimsHoldNothing(t *testing.T) {
	var claims *auth.TokenClaims
	for _, p := range auth.AllPermissions() {
		if claims.HasPermission(p) || claims.HasRoomPermission(p, "r") || auth.HasPermission(nil, p) || auth.HasRoomPermission(nil, p, "r") {
			t.Errorf("nothing grants %s", p)
		}
	}
}

func TestParsePermission(t *testing.T) {
	good := []string{"join:room:chat.*", "send:message:*", "admin:room:a:b", "join:room:my room"}
	for _, p := range auth.AllPermissions() {
		good = append(good, string(p))
	}
	for _, s := range good {
		if p, err := auth.ParsePermission(s); err != nil || string(p) != s {
			t.Errorf("ParsePermission(%q) = %q, %v", s, p, err)
		}
	}
	for s, want := range map[string]string{
		"":               "must be one of read:message, send:message",
		"join":           "must be one of",
		"join:rooms":     "must be one of",
		"Join:Room":      "must be one of",
		"join:room:":     "pattern after",
		"admin:system:*": "takes no room pattern",
	} {
		if p, err := auth.ParsePermission(s); err == nil || p != "" || !strings.Contains(err.Error(), want) {
			t.Errorf("ParsePermission(%q) = %q, %v; want an error with %q", s, p, err, want)
		}
	}
}

func TestPermissionChecksDoNotAllocate(t *testing.T) {
	claims := benchmarkClaims()
	if n := testing.AllocsPerRun(100, func() {
		claims.HasPermission(auth.PermAdminSystem)
		claims.HasRoomPermission(auth.PermSendMessage, "team.42.chat")
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func benchmarkClaims() *auth.TokenClaims {
	return &auth.TokenClaims{Permissions: []auth.Permission{
		"read:message:news.*", "join:room:chat.*", "join:room:team.*", "leave:room", "send:message:team.*.chat",
	}}
}

func BenchmarkHasRoomPermission(b *testing.B) {
	claims := benchmarkClaims()
	b.ReportAllocs()
	for b.Loop() {
		if !claims.HasRoomPermission(auth.PermSendMessage, "team.42.chat") {
			b.Fatal("refused")
		}
	}
}

// matches is the definition of a pattern, written as such.
func matches(pattern, room string) bool {
	if pattern == "" {
		return room == ""
	}
	if pattern[0] == '*' {
		return matches(pattern[1:], room) || (room != "" && matches(pattern, room[1:]))
	}
	return room != "" && room[0] == pattern[0] && matches(pattern[1:], room[1:])
}

func FuzzRoomPattern(f *testing.F) {
	for _, seed := range [][2]string{
		{"chat.*", "chat.1"}, {"*a*b*", "xaxbx"}, {"a*a", "a"}, {"a*bc*c", "abcc"}, {"**", ""}, {"ü*", "üx"}, {"*\xff", "\xff"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, room string) {
		if strings.Count(pattern, "*") > 4 || len(room) > 64 {
			t.Skip("the definition takes exponential time")
		}
		want := pattern != "" && matches(pattern, room)
		granted := []auth.Permission{auth.Permission("join:room:" + pattern)}
		if got := auth.HasRoomPermission(granted, auth.PermJoinRoom, room); got != want {
			t.Errorf("pattern %q, room %q: %v, want %v", pattern, room, got, want)
		}
	})
}
