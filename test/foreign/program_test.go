package foreign

import (
	"context"
	"testing"
	"time"

	"github.com/chenxilol/gohub/test/peer"
)

// patience is how long one program may run.
const patience = time.Minute

// language is a foreign client: its program and how to run it.
type language struct {
	name    string
	command func(t *testing.T) []string
}

var (
	node = language{"ws", func(t *testing.T) []string {
		peer.Module(t, ".", "ws")
		return []string{peer.Program(t, "node"), "ws.mjs"}
	}}
	python = language{"websockets", func(t *testing.T) []string {
		return []string{peer.Python(t, "websockets"), "websockets_client.py"}
	}}
)

// program is a running client. Its methods are called one at a time.
type program struct{ *peer.Process }

// request is one line to a program. Which fields count depends on Do:
//
//	connect     Conn, URL, Headers, Subprotocols, Compress
//	send        Conn, Parts: the fragments of a text message
//	sendBinary  Conn, Binary: in hexadecimal
//	ping        Conn, Text: the payload of a ping frame; the reply comes with the pong
//	next        Conn: the reply is the next message or the end
//	close       Conn, Code, Reason
type request struct {
	Do           string            `json:"do"`
	Conn         string            `json:"conn"`
	URL          string            `json:"url,omitempty"`
	Headers      map[string]string `json:"headers,omitempty"`
	Subprotocols []string          `json:"subprotocols,omitempty"`
	Compress     bool              `json:"compress,omitempty"`
	Parts        []string          `json:"parts,omitempty"`
	Binary       string            `json:"binary,omitempty"`
	Text         string            `json:"text,omitempty"`
	Code         int               `json:"code,omitempty"`
	Reason       string            `json:"reason"`
}

// reply is the line a program answers with.
type reply struct {
	Error                   string
	Status                  int    // HTTP, of a refused connect
	Subprotocol, Extensions string // of a connect
	Text                    string // of a message or a pong
	Binary                  string // of a message, in hexadecimal
	Closed                  bool   // no message: the end, with Code and Reason
	Code                    int
	Reason                  string
}

// start runs the language's program until the test ends.
func (l language) start(t *testing.T) *program {
	t.Helper()
	command := l.command(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return &program{peer.Start(ctx, t, l.name, command[0], command[1:]...)}
}

// call makes the program do something.
func (p *program) call(t *testing.T, q request) (r reply) {
	t.Helper()
	p.Call(t, q.Do, q, &r)
	if r.Error != "" {
		t.Fatalf("%s: %s", q.Do, r.Error)
	}
	return r
}
