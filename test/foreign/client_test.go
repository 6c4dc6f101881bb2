package foreign

import (
	"encoding/json"
	"testing"

	"github.com/chenxilol/gohub/hubtest"
)

// client is one connection of a program.
type client struct {
	*program
	conn   string
	nextID int64
}

// connect opens a connection named conn. Its extra fields are taken from q.
func (p *program) connect(t *testing.T, conn string, q request) (*client, reply) {
	t.Helper()
	q.Do, q.Conn = "connect", conn
	r := p.call(t, q)
	if r.Status != 0 {
		t.Fatalf("connect: status %d", r.Status)
	}
	return &client{program: p, conn: conn}, r
}

func (c *client) do(t *testing.T, q request) reply {
	t.Helper()
	q.Conn = c.conn
	return c.call(t, q)
}

// send sends the fragments of a text message.
func (c *client) send(t *testing.T, fragments ...string) {
	t.Helper()
	c.do(t, request{Do: "send", Parts: fragments})
}

// next returns the next message.
func (c *client) next(t *testing.T) (m hubtest.Message) {
	t.Helper()
	r := c.do(t, request{Do: "next"})
	if r.Closed || r.Binary != "" {
		t.Fatalf("got %+v, want a text message", r)
	}
	if err := json.Unmarshal([]byte(r.Text), &m); err != nil {
		t.Fatalf("%q is no message: %v", r.Text, err)
	}
	return m
}

// ask sends a message with an id and returns its answer, which must come next.
func (c *client) ask(t *testing.T, messageType string, data any) hubtest.Message {
	t.Helper()
	c.nextID++
	c.send(t, envelope(t, messageType, data, c.nextID))
	m := c.next(t)
	if m.RequestID != c.nextID {
		t.Fatalf("%s: got %s %s, want its answer", messageType, m.Type, m.Data)
	}
	return m
}

// ends checks that the connection ends with that code, and returns the reason.
func (c *client) ends(t *testing.T, code int) (reason string) {
	t.Helper()
	r := c.do(t, request{Do: "next"})
	if !r.Closed || r.Code != code {
		t.Fatalf("got %+v, want close code %d", r, code)
	}
	return r.Reason
}

func envelope(t *testing.T, messageType string, data any, id int64) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"message_type": messageType, "data": data, "message_id": id})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// field returns a member of a message's data, nil where there is none.
func field(t *testing.T, m hubtest.Message, name string) any {
	t.Helper()
	var data map[string]any
	if err := json.Unmarshal(m.Data, &data); err != nil {
		t.Fatalf("%s: %q: %v", m.Type, m.Data, err)
	}
	return data[name]
}
