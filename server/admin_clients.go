package server

import (
	"net/http"
	"slices"
	"unicode/utf8"

	"github.com/chenxilol/gohub/pkg/api"
	"github.com/chenxilol/gohub/pkg/hub"
)

func (a *admin) client(c *adminCall) (int, any, error) {
	client, err := a.hub.Client(c.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	rooms := client.Rooms()
	slices.Sort(rooms)
	answer := api.Client{
		ID: client.GetID(), Node: a.hub.Node(), RemoteAddr: client.RemoteAddr(), Subprotocol: client.Subprotocol(),
		ConnectedAt: client.ConnectedAt().UTC(), Rooms: rooms,
	}
	if claims := client.Claims(); claims != nil {
		answer.UserID, answer.Username = claims.UserID, claims.Username
		for _, p := range claims.Permissions {
			answer.Permissions = append(answer.Permissions, string(p))
		}
		if !claims.ExpiresAt.IsZero() {
			expires := claims.ExpiresAt.UTC()
			answer.ExpiresAt = &expires
		}
	}
	return http.StatusOK, answer, nil
}

// The close frame of a disconnect without a code or reason.
const (
	disconnectCode   = 1000
	disconnectReason = "disconnected by an administrator"
	maxReason        = 123 // bytes: a control frame carries 125 (RFC 6455, section 5.5)
)

func (a *admin) disconnect(c *adminCall) (int, any, error) {
	q := api.DisconnectRequest{Code: disconnectCode, Reason: disconnectReason}
	if err := a.decodeOptional(c, &q); err != nil {
		return 0, nil, err
	}
	if !sendableCode(q.Code) {
		return 0, nil, hub.NewError(hub.CodeFormat, "code must be 1000 to 1003, 1007 to 1013, or 3000 to 4999")
	}
	if len(q.Reason) > maxReason || !utf8.ValidString(q.Reason) {
		return 0, nil, hub.NewError(hub.CodeFormat, "reason is longer than %d bytes", maxReason)
	}
	if err := a.hub.DisconnectClient(c.PathValue("id"), q.Code, q.Reason); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, nil
}

// sendableCode tells whether a close frame may carry the code: RFC 6455,
// section 7.4, reserves the others, and receivers refuse them; many refuse 1014,
// which is newer.
func sendableCode(code int) bool {
	return 1000 <= code && code <= 1003 || 1007 <= code && code <= 1013 || 3000 <= code && code <= 4999
}
