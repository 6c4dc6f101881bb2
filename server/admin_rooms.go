package server

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/chenxilol/gohub/pkg/api"
	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/pkg/sdk"
)

func (a *admin) listRooms(c *adminCall) (int, any, error) {
	if !c.who.readsSomething() {
		return 0, nil, c.who.check(auth.PermReadMessage, "")
	}
	limit, cursor, err := page(c.Request)
	if err != nil {
		return 0, nil, err
	}
	rooms, missing := a.hub.RoomsPage()
	rooms = slices.DeleteFunc(rooms, func(r sdk.Room) bool { return !c.who.may(auth.PermReadMessage, r.ID) })
	answer := api.RoomList{Rooms: []api.Room{}, Count: len(rooms), MissingNodes: missing}
	// The cursor is the last id of the page before: rooms that come and go do
	// not move the others.
	rest := rooms[sort.Search(len(rooms), func(i int) bool { return rooms[i].ID > cursor }):]
	for _, r := range rest[:min(limit, len(rest))] {
		answer.Rooms = append(answer.Rooms, api.Room(r))
	}
	if len(rest) > limit {
		answer.Cursor = rest[limit-1].ID
	}
	return http.StatusOK, answer, nil
}

func (a *admin) createRoom(c *adminCall) (int, any, error) {
	var q api.CreateRoomRequest
	if err := a.decode(c, &q); err != nil {
		return 0, nil, err
	}
	if err := c.who.check(auth.PermCreateRoom, q.ID); err != nil {
		return 0, nil, err
	}
	creator := "" // an administrator makes as many as the hub holds
	if !c.who.isAdmin() {
		creator = c.who.claims.Subject
	}
	if err := a.hub.CreateRoomFor(creator, q.ID, q.Name, q.MaxClients); err != nil {
		return 0, nil, err
	}
	room, err := a.hub.Room(q.ID)
	if err != nil {
		return 0, nil, err
	}
	c.w.Header().Set("Location", api.PathRooms+"/"+pathSegment(q.ID))
	return http.StatusCreated, api.Room(room), nil
}

func (a *admin) room(c *adminCall) (int, any, error) {
	r, err := a.hub.Room(c.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, api.Room(r), nil
}

func (a *admin) deleteRoom(c *adminCall) (int, any, error) {
	return http.StatusNoContent, nil, a.hub.DeleteRoom(c.PathValue("id"))
}

func (a *admin) members(c *adminCall) (int, any, error) {
	limit, cursor, err := page(c.Request)
	if err != nil {
		return 0, nil, err
	}
	id := c.PathValue("id")
	m, err := a.hub.MembersPage(c.Context(), id, limit, cursor)
	if err != nil {
		return 0, nil, err
	}
	if m.IDs == nil {
		m.IDs = []string{}
	}
	return http.StatusOK, api.Members{RoomID: id, Members: m.IDs, Count: m.Count, Cursor: m.Next, MissingNodes: m.Missing}, nil
}

func (a *admin) addMember(c *adminCall) (int, any, error) {
	room, client := c.PathValue("id"), c.PathValue("client")
	if err := c.who.checkMember(room, client); err != nil {
		return 0, nil, err
	}
	err := a.hub.JoinRoom(room, client)
	if errors.Is(err, &hub.Error{Code: hub.CodeAlreadyInRoom}) {
		err = nil // PUT may be repeated
	}
	return http.StatusNoContent, nil, err
}

func (a *admin) removeMember(c *adminCall) (int, any, error) {
	room, client := c.PathValue("id"), c.PathValue("client")
	if err := c.who.checkMember(room, client); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, a.hub.LeaveRoom(room, client)
}

// checkMember refuses what the permissions to join and leave do not cover: on
// the wire they let a client join and leave, not move others about.
func (c caller) checkMember(room, client string) error {
	if c.is(client) || c.may(auth.PermAdminRoom, room) {
		return nil
	}
	return hub.NewError(hub.CodeForbidden, "permission %s is needed for another client than the token's", auth.PermAdminRoom)
}

func (a *admin) history(c *adminCall) (int, any, error) {
	limit, cursor, err := page(c.Request)
	if err != nil {
		return 0, nil, err
	}
	id := c.PathValue("id")
	messages, next, count, err := a.hub.HistoryPage(c.Context(), id, limit, cursor)
	if err != nil {
		return 0, nil, err
	}
	answer := api.History{RoomID: id, Messages: make([]api.Message, len(messages)), Count: count, Cursor: next}
	for i, m := range messages {
		answer.Messages[i] = api.Message(m)
	}
	return http.StatusOK, answer, nil
}

// page reads the parameters of a page.
func page(r *http.Request) (limit int, cursor string, err error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return 0, "", hub.NewError(hub.CodeFormat, "the query is malformed")
	}
	for name, values := range query {
		if name != "limit" && name != "cursor" || len(values) > 1 {
			return 0, "", hub.NewError(hub.CodeFormat, "query parameter %q: only limit and cursor may stand here, once", shorten(name))
		}
	}
	limit = api.DefaultLimit
	if query.Has("limit") {
		if limit, err = strconv.Atoi(query.Get("limit")); err != nil || limit < 1 || limit > api.MaxLimit {
			return 0, "", hub.NewError(hub.CodeFormat, "limit must be 1 to %d", api.MaxLimit)
		}
	}
	return limit, query.Get("cursor"), nil
}

// pathSegment writes an id as one segment of a path. Unlike url.PathEscape it
// takes care of "." and "..", which clients resolve.
func pathSegment(id string) string {
	if id == "." || id == ".." {
		return strings.ReplaceAll(id, ".", "%2E")
	}
	return url.PathEscape(id)
}
