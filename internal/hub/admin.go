package hub

import (
	"github.com/chenxilol/gohub/internal/hub/room"
	"github.com/chenxilol/gohub/pkg/hub"
)

// CreateRoomFor is CreateRoom on behalf of a client id, whose number of rooms
// is limited as on the wire.
func (h *Hub) CreateRoomFor(creator, id, name string, maxClients int) error {
	return h.createExplicit(room.Spec{ID: id, Name: name, MaxClients: maxClients, Creator: creator, Explicit: true})
}

func (h *Hub) createExplicit(spec room.Spec) error {
	if bad := checkName("room_id", spec.ID); bad != nil {
		return bad
	}
	if spec.Name != "" {
		if bad := checkName("name", spec.Name); bad != nil {
			return bad
		}
	}
	if spec.MaxClients < 0 {
		return hub.NewError(hub.CodeFormat, "max_clients must be 0 (no limit) or more")
	}
	_, err := h.createRoom(spec, nil)
	return err
}
