package chaos_test

import (
	"encoding/json"
	"fmt"
	"hash/crc32"

	"github.com/chenxilol/gohub/test/chaos/history"
)

// content is what the clients send each other: it says where it comes from and
// where it goes, and proves it.
type content struct {
	From string `json:"from"` // publisher
	Seq  uint64 `json:"seq"`
	To   string `json:"to"` // room or client
	Pad  string `json:"pad"`
	Sum  uint32 `json:"sum"`
}

func newContent(id history.ID, to, pad string) content {
	c := content{From: id.Publisher, Seq: id.Seq, To: to, Pad: pad}
	c.Sum = c.sum()
	return c
}

func (c content) sum() uint32 {
	return crc32.ChecksumIEEE(fmt.Append(nil, c.From, "\n", c.Seq, "\n", c.To, "\n", c.Pad))
}

func (c content) id() history.ID { return history.ID{Publisher: c.From, Seq: c.Seq} }

func (c content) damaged() bool { return c.Sum != c.sum() }

// frame is a message of the hub, with the members of all data that the clients
// look at.
type frame struct {
	Type      string `json:"message_type"`
	RequestID int64  `json:"request_id"`
	Data      struct {
		RoomID    string  `json:"room_id"`
		Content   content `json:"content"`
		SenderID  string  `json:"sender_id"`
		Position  string  `json:"position"`
		Prev      string  `json:"prev"`
		Recovered *bool   `json:"recovered"`
		Scope     string  `json:"scope"`
		Code      int     `json:"code"`
		Message   string  `json:"message"`
		Details   struct {
			Outcome string `json:"outcome"`
		} `json:"details"`
		Room      string `json:"room"`
		SinceMS   int64  `json:"since_ms"`
		Reason    string `json:"reason"`
		AfterMS   int64  `json:"after_ms"`
		ClientID  string `json:"client_id"`
		ExpiresAt any    `json:"expires_at"`
	} `json:"data"`
}

func parseFrame(b []byte) (f frame, err error) {
	err = json.Unmarshal(b, &f)
	return f, err
}

// request is a message to the hub.
type request struct {
	Type string `json:"message_type"`
	Data any    `json:"data"`
	ID   int64  `json:"message_id"`
}

type roomData struct {
	RoomID  string `json:"room_id"`
	Since   string `json:"since,omitempty"`
	Content any    `json:"content,omitempty"`
	Key     string `json:"idempotency_key,omitempty"`
}

type directData struct {
	TargetID string  `json:"target_id"`
	Content  content `json:"content"`
}

type tokenData struct {
	Token string `json:"token"`
}
