package hub

import (
	"encoding/json"

	"github.com/chenxilol/gohub/internal/hub/dispatch"
	"github.com/chenxilol/gohub/pkg/hub"
)

// args are the members of a message's data that built-in messages know. What
// is absent is empty.
type args struct {
	ts                     []byte
	roomID, name, targetID string
	since, cursor, token   string
	idempotencyKey         string
	content                json.RawMessage
	limit, maxClients      int64
	limitGiven             bool
	bad                    *hub.Error
	haveContent            bool
}

// parseArgs reads the data of a built-in message.
func parseArgs(data json.RawMessage) (a args, bad *hub.Error) {
	if len(data) == 0 {
		return a, hub.NewError(hub.CodeFormat, "data is missing")
	}
	err := dispatch.Object(data, func(key, value []byte) {
		switch string(key) {
		case "ts":
			a.ts = value
		case "room_id":
			a.text("room_id", value, &a.roomID)
		case "name":
			a.text("name", value, &a.name)
		case "target_id":
			a.text("target_id", value, &a.targetID)
		case "since":
			a.text("since", value, &a.since)
		case "cursor":
			a.text("cursor", value, &a.cursor)
		case "token":
			a.text("token", value, &a.token)
		case "idempotency_key":
			a.text("idempotency_key", value, &a.idempotencyKey)
		case "content":
			a.content, a.haveContent = value, true
		case "limit":
			a.limitGiven = true
			a.number("limit", value, &a.limit)
		case "max_clients":
			a.number("max_clients", value, &a.maxClients)
		}
	})
	if err != nil {
		return a, hub.NewError(hub.CodeFormat, "data must be a JSON object")
	}
	return a, a.bad
}

func (a *args) text(field string, value []byte, to *string) {
	text, ok := dispatch.String(value)
	if !ok && string(value) != "null" {
		a.bad = hub.NewError(hub.CodeFormat, "%s must be a string", field)
	}
	*to = text
}

func (a *args) number(field string, value []byte, to *int64) {
	n, ok := dispatch.Int(value)
	if !ok || n < 0 {
		a.bad = hub.NewError(hub.CodeFormat, "%s must be a whole number, 0 or more", field)
	}
	*to = n
}

// maxPage is the most that a client may ask for at once, defaultPage what it
// gets without asking.
const (
	maxPage     = 1000
	defaultPage = 100
)

func (a *args) page() (int, error) {
	switch {
	case !a.limitGiven:
		return defaultPage, nil
	case a.limit < 1 || a.limit > maxPage:
		return 0, hub.NewError(hub.CodeFormat, "limit must be 1 to %d", maxPage)
	default:
		return int(a.limit), nil
	}
}
