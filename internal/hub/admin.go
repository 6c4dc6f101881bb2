package hub

import (
	"github.com/chenxilol/gohub/internal/hub/room"
	"github.com/chenxilol/gohub/pkg/hub"
)

// CreateRoomFor is CreateRoom on behalf of the client id creator, for which
// the room counts as one made on the wire does; "" is nobody. Its errors name
// the fields as JSON does.
func (h *Hub) CreateRoomFor(creator, id, name string, maxClients int) error {
	bad := checkName("room_id", id)
	if bad == nil && name != "" {
		bad = checkName("name", name)
	}
	if bad == nil && maxClients < 0 {
		bad = hub.NewError(hub.CodeFormat, "max_clients must be 0 (no limit) or more")
	}
	if bad != nil {
		return bad
	}
	_, err := h.createRoom(room.Spec{ID: id, Name: name, MaxClients: maxClients, Creator: creator, Explicit: true}, nil)
	return err
}
