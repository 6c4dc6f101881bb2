package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/chenxilol/gohub/pkg/api"
	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/pkg/sdk"
)

func (a *admin) publish(c *adminCall) (int, any, error) {
	var q api.PublishRequest
	if err := a.decode(c, &q); err != nil {
		return 0, nil, err
	}
	if q.Room == "" {
		return 0, nil, hub.NewError(hub.CodeFormat, "room is missing or empty")
	}
	if err := c.who.check(auth.PermSendMessage, q.Room); err != nil {
		return 0, nil, err
	}
	p, err := c.who.publication(&q)
	if err != nil {
		return 0, nil, err
	}
	receipt, err := a.hub.Publish(p)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, api.PublishResponse{Position: receipt.Position, Scope: receipt.Scope}, nil
}

// publication checks a request and makes a token that is no administrator's
// the sender.
func (c caller) publication(q *api.PublishRequest) (sdk.Publication, error) {
	p := sdk.Publication{
		Room: q.Room, Content: q.Content, SenderID: q.SenderID, IdempotencyKey: q.IdempotencyKey, Exclude: q.Exclude,
	}
	if len(q.Content) == 0 {
		return p, errNoContent
	}
	if err := checkText("sender_id", q.SenderID); err != nil {
		return p, err
	}
	if len(q.IdempotencyKey) > maxName {
		return p, hub.NewError(hub.CodeFormat, "idempotency_key is longer than %d bytes", maxName)
	}
	if c.isAdmin() {
		return p, nil
	}
	if q.SenderID != "" && !c.is(q.SenderID) {
		return p, hub.NewError(hub.CodeForbidden, "permission %s is needed for another sender_id than the token's", auth.PermAdminSystem)
	}
	p.SenderID = c.claims.Subject
	if q.IdempotencyKey != "" {
		// Callers cannot use up each other's keys.
		hash := sha256.Sum256([]byte(p.SenderID + "\x00" + q.IdempotencyKey))
		p.IdempotencyKey = hex.EncodeToString(hash[:])
	}
	return p, nil
}

var errNoContent = hub.NewError(hub.CodeFormat, "content is missing")

func (a *admin) broadcast(c *adminCall) (int, any, error) {
	var q api.BroadcastRequest
	if err := a.decode(c, &q); err != nil {
		return 0, nil, err
	}
	message, err := adminMessage(q.MessageType, api.TypeBroadcast, q.Content)
	if err != nil {
		return 0, nil, err
	}
	if err := a.hub.BroadcastAll(hub.Text(message)); err != nil {
		return 0, nil, fmt.Errorf("broadcast: %w", err)
	}
	return http.StatusOK, api.BroadcastResponse{Scope: api.ScopeCluster}, nil
}

func (a *admin) send(c *adminCall) (int, any, error) {
	var q api.SendRequest
	if err := a.decode(c, &q); err != nil {
		return 0, nil, err
	}
	message, err := adminMessage(q.MessageType, api.TypeDirectMessage, q.Content)
	if err != nil {
		return 0, nil, err
	}
	if err := a.hub.SendToClient(c.PathValue("id"), hub.Text(message)); err != nil {
		return 0, nil, fmt.Errorf("send to client: %w", err)
	}
	return http.StatusNoContent, nil, nil
}

// adminMessage returns the message for clients. Of the usual type, which an
// empty one means, its data looks like a direct message's; of any other it is
// the content.
func adminMessage(messageType, usual string, content json.RawMessage) ([]byte, error) {
	if len(content) == 0 {
		return nil, errNoContent
	}
	if err := checkText("message_type", messageType); err != nil {
		return nil, err
	}
	now := time.Now().UnixMilli()
	var data any = content
	if messageType == "" || messageType == usual {
		messageType = usual
		data = struct {
			Content   json.RawMessage `json:"content"`
			SenderID  string          `json:"sender_id"`
			Timestamp int64           `json:"timestamp"`
		}{Content: content, Timestamp: now}
	}
	var message bytes.Buffer
	e := json.NewEncoder(&message)
	e.SetEscapeHTML(false) // the content stays as it is
	err := e.Encode(struct {
		Type      string `json:"message_type"`
		Data      any    `json:"data"`
		Timestamp int64  `json:"timestamp"`
		MessageID int64  `json:"message_id"`
	}{Type: messageType, Data: data, Timestamp: now})
	if err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	return bytes.TrimSuffix(message.Bytes(), []byte("\n")), nil
}
