package conn

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Upgrader answers opening handshakes with gorilla's Upgrader, which never
// sees the socket: it writes its answer into memory, and keeps nothing.
type Upgrader struct {
	up      websocket.Upgrader
	deflate bool
	events  bool // sockets go to the event loop where they can
}

// NewUpgrader returns an upgrader for e's connections, that selects the first
// of subprotocols a client offers, and permessage-deflate if deflate is set.
func (e *Engine) NewUpgrader(subprotocols []string, deflate bool) *Upgrader {
	return &Upgrader{
		up: websocket.Upgrader{
			Subprotocols: subprotocols, EnableCompression: deflate,
			ReadBufferSize: 128, WriteBufferSize: 128, WriteBufferPool: new(sync.Pool),
			CheckOrigin: func(*http.Request) bool { return true }, // the caller has checked it
		},
		deflate: deflate, events: !e.cfg.Goroutines,
	}
}

// Check tells whether r is an opening handshake that Upgrade will take. The
// error's text is for the client; status is the HTTP status to answer with.
func Check(r *http.Request) (status int, err error) {
	switch {
	case r.Method != http.MethodGet:
		return http.StatusMethodNotAllowed, errors.New("a websocket handshake is a GET request")
	case !r.ProtoAtLeast(1, 1) || r.ProtoMajor != 1:
		return http.StatusHTTPVersionNotSupported, errors.New("a websocket handshake needs HTTP/1.1")
	case !websocket.IsWebSocketUpgrade(r):
		return http.StatusUpgradeRequired, errors.New("a websocket handshake needs 'Connection: Upgrade' and 'Upgrade: websocket'")
	case len(r.TransferEncoding) > 0 || r.ContentLength != 0:
		return http.StatusBadRequest, errors.New("a websocket handshake has no body")
	case len(r.Header.Values("Sec-Websocket-Version")) != 1 || r.Header.Get("Sec-Websocket-Version") != "13":
		return http.StatusUpgradeRequired, errors.New("Sec-WebSocket-Version must be 13")
	case len(r.Header.Values("Sec-Websocket-Key")) != 1:
		return http.StatusBadRequest, errors.New("one Sec-WebSocket-Key is needed")
	case !validKey(r.Header.Get("Sec-Websocket-Key")):
		return http.StatusBadRequest, errors.New("Sec-WebSocket-Key must be 16 bytes in base64")
	}
	return http.StatusSwitchingProtocols, nil
}

// validKey checks the nonce of a handshake (RFC 6455, section 4.2.1).
func validKey(key string) bool {
	nonce, err := base64.StdEncoding.DecodeString(key)
	return err == nil && len(nonce) == 16
}

// Upgrade takes the socket of the handshake r over from net/http. The caller
// passes the Socket to Start, which answers the handshake; after an error the
// request has been answered already.
func (u *Upgrader) Upgrade(w http.ResponseWriter, r *http.Request) (*Socket, error) {
	answer := &answer{ResponseWriter: w}
	up := u.up
	up.EnableCompression = u.deflate && acceptable(r.Header)
	ws, err := up.Upgrade(answer, r, nil)
	if err != nil {
		return nil, fmt.Errorf("answer handshake: %w", err)
	}
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "the server cannot take over this connection", http.StatusInternalServerError)
		return nil, fmt.Errorf("take over connection: %w", err)
	}
	if gone(nc) {
		_ = nc.Close()
		return nil, errGone
	}
	s := &Socket{
		answer:      answer.mem.sent.Bytes(),
		Subprotocol: ws.Subprotocol(),
		Deflate:     bytes.Contains(answer.mem.sent.Bytes(), []byte("permessage-deflate")),
	}
	if n := rw.Reader.Buffered(); n > 0 {
		b, _ := rw.Reader.Peek(n)
		s.carry = bytes.Clone(b)
	}
	if u.events {
		if fd, ok := adopt(nc); ok {
			s.fd = fd
			return s, nil
		}
	}
	s.nc = nc
	return s, nil
}

// errGone means that the client has given up: on a busy machine it may have
// connected elsewhere by now, and must not be closed there for this connection.
var errGone = errors.New("the client has gone before its handshake was answered")

// acceptable tells whether the client's offer of permessage-deflate can be
// accepted as gorilla does, without parameters: an offer that demands a
// smaller window of the server must be answered with one (RFC 7692, section
// 7.1.2.1), which compress/flate cannot give.
func acceptable(h http.Header) bool {
	for _, v := range h.Values("Sec-Websocket-Extensions") {
		if strings.Contains(strings.ToLower(v), "server_max_window_bits") {
			return false
		}
	}
	return true
}

// discard closes a socket that nobody will serve.
func (s *Socket) discard() {
	if s.nc != nil {
		_ = s.nc.Close()
		return
	}
	closeAdopted(s.fd)
}

// answer is the response writer that gorilla's Upgrader gets: errors go to the
// client, and taking the connection over gives memory.
type answer struct {
	http.ResponseWriter
	mem memory
}

func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return &a.mem, bufio.NewReadWriter(bufio.NewReaderSize(&a.mem, 16), bufio.NewWriterSize(&a.mem, 16)), nil
}

// memory is a connection that keeps what is written, with nothing to read.
type memory struct {
	net.Conn // nil: addresses are not asked for
	sent     bytes.Buffer
}

func (m *memory) Write(p []byte) (int, error)      { return m.sent.Write(p) }
func (m *memory) Read([]byte) (int, error)         { return 0, net.ErrClosed }
func (m *memory) Close() error                     { return nil }
func (m *memory) SetDeadline(time.Time) error      { return nil }
func (m *memory) SetReadDeadline(time.Time) error  { return nil }
func (m *memory) SetWriteDeadline(time.Time) error { return nil }
