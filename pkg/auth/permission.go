package auth

import (
	"fmt"
	"strings"
)

// Permission is one grant. It is global ("join:room") or, for every permission
// but admin:system, limited to the rooms a pattern matches ("join:room:chat.*").
//
// In a pattern "*" matches any run of bytes, the empty one and dots included;
// everything else is literal, and the pattern must match the whole room name.
//
// Two permissions imply others:
//   - admin:system implies everything, for all rooms.
//   - admin:room implies read:message, send:message, create:room, delete:room,
//     join:room and leave:room for the rooms it covers: all of them when it is
//     global, those that match when it has a pattern.
//
// Other strings are allowed in tokens, so that one token can serve several
// services and handlers can have permissions of their own; they grant nothing here.
type Permission string

// The permissions the hub enforces.
const (
	PermReadMessage Permission = "read:message" // receive a room's messages and history
	PermSendMessage Permission = "send:message" // send to a room or, granted globally, to a client
	PermCreateRoom  Permission = "create:room"  // create a room
	PermDeleteRoom  Permission = "delete:room"  // delete a room
	PermJoinRoom    Permission = "join:room"    // become a member of a room
	PermLeaveRoom   Permission = "leave:room"   // leave a room on request
	PermAdminRoom   Permission = "admin:room"   // all of the above, for the rooms it covers
	PermAdminSystem Permission = "admin:system" // everything, the admin API included
)

// permissions is an array, so that [AllPermissions] gives each caller its own.
var permissions = [...]Permission{
	PermReadMessage, PermSendMessage, PermCreateRoom, PermDeleteRoom,
	PermJoinRoom, PermLeaveRoom, PermAdminRoom, PermAdminSystem,
}

// AllPermissions returns the eight permissions in a new slice.
func AllPermissions() []Permission {
	all := permissions
	return all[:]
}

// ParsePermission checks that s is one of the eight permissions, alone or with a
// room pattern, and returns it. The error names the allowed values. It is meant
// for configuration and command lines, where an unknown permission is a typo;
// tokens may carry unknown ones.
func ParsePermission(s string) (Permission, error) {
	for _, p := range permissions {
		rest, ok := strings.CutPrefix(s, string(p))
		if !ok || (rest != "" && rest[0] != ':') {
			continue
		}
		switch {
		case rest == "":
		case p == PermAdminSystem:
			return "", fmt.Errorf("permission %q: admin:system takes no room pattern", s)
		case rest == ":":
			return "", fmt.Errorf("permission %q: the room pattern after %q is empty", s, string(p)+":")
		}
		return Permission(s), nil
	}
	return "", fmt.Errorf("permission %q: must be one of %s, optionally followed by a colon and a room pattern",
		s, joinPermissions())
}

func joinPermissions() string {
	names := make([]string, len(permissions))
	for i, p := range permissions {
		names[i] = string(p)
	}
	return strings.Join(names, ", ")
}

// HasPermission reports whether granted holds p for everything: p itself or a
// global permission that implies it. A grant with a room pattern does not count.
// It does not allocate.
func HasPermission(granted []Permission, p Permission) bool {
	for _, g := range granted {
		if impliesGlobally(g, p) {
			return true
		}
	}
	return false
}

// HasRoomPermission reports whether granted holds p for the room, globally or by
// a pattern. It does not allocate.
func HasRoomPermission(granted []Permission, p Permission, room string) bool {
	for _, g := range granted {
		if impliesGlobally(g, p) || impliesInRoom(g, p, room) {
			return true
		}
	}
	return false
}

func impliesGlobally(g, p Permission) bool {
	return g == p || g == PermAdminSystem || (g == PermAdminRoom && isRoomPermission(p))
}

func impliesInRoom(g, p Permission, room string) bool {
	if p == PermAdminSystem {
		return false
	}
	pattern, ok := cutPattern(g, p)
	if !ok && isRoomPermission(p) {
		pattern, ok = cutPattern(g, PermAdminRoom)
	}
	return ok && MatchRoom(pattern, room)
}

// cutPattern returns the room pattern of g if g is p with a pattern.
func cutPattern(g, p Permission) (string, bool) {
	rest, ok := strings.CutPrefix(string(g), string(p))
	if !ok || len(rest) < 2 || rest[0] != ':' {
		return "", false
	}
	return rest[1:], true
}

// isRoomPermission reports whether admin:room implies p.
func isRoomPermission(p Permission) bool {
	switch p {
	case PermReadMessage, PermSendMessage, PermCreateRoom, PermDeleteRoom,
		PermJoinRoom, PermLeaveRoom, PermAdminRoom:
		return true
	}
	return false
}

// MatchRoom reports whether pattern matches all of room. Each literal between
// two stars is taken at its first occurrence: that leaves the most for the rest,
// so no backtracking is needed and hostile patterns cost no more than others.
func MatchRoom(pattern, room string) bool {
	literal, rest, star := strings.Cut(pattern, "*")
	room, ok := strings.CutPrefix(room, literal)
	if !star {
		return ok && room == ""
	}
	if !ok {
		return false
	}
	for {
		literal, rest, star = strings.Cut(rest, "*")
		if !star {
			return strings.HasSuffix(room, literal)
		}
		i := strings.Index(room, literal)
		if i < 0 {
			return false
		}
		room = room[i+len(literal):]
	}
}
