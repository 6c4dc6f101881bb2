package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// closeWait is how long the hub has to answer a close frame, and a close frame
// to be written.
const closeWait = 2 * time.Second

// keptBuffer is the size up to which a buffer is kept for the next message.
const keptBuffer = 4 << 10

// wire is one connection.
type wire struct {
	ws      *websocket.Conn
	opts    *Options
	token   string
	welcome welcome
	born    time.Time
	heard   atomic.Int64 // when the hub was heard last, as time since born
	reading atomic.Bool  // the hub can be heard

	buffer bytes.Buffer // of the reader

	turn chan struct{} // holds one element while somebody writes
	lost chan struct{} // closed when the client has taken the connection back

	mu      sync.Mutex // guards all below
	conn    net.Conn
	unwatch func() bool
	cause   error // why this side ended the connection; nil: it did not
	over    bool  // no timers any more
	timers  map[string]*time.Timer
	answers map[int64]*answer // expected; nil behind release
}

func newWire(opts *Options, token string) *wire {
	return &wire{
		opts: opts, token: token, born: time.Now(),
		turn: make(chan struct{}, 1), lost: make(chan struct{}), answers: map[int64]*answer{},
	}
}

// own takes the network connection, which is closed when ctx ends first.
func (w *wire) own(ctx context.Context, conn net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn = conn
	w.unwatch = context.AfterFunc(ctx, func() { _ = conn.Close() })
}

// stopWatching frees the connection from the context of its handshake; false
// means that it has been closed already.
func (w *wire) stopWatching() bool { return w.unwatch == nil || w.unwatch() }

// close closes the network connection, if there is one.
func (w *wire) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.unwatch != nil {
		w.unwatch()
	}
	if w.conn != nil {
		_ = w.conn.Close()
	}
}

// greet reads the hub's first message.
func (w *wire) greet() error {
	if w.ws.Subprotocol() != subprotocol {
		return ErrNotHub
	}
	w.ws.SetPingHandler(func(data string) error {
		w.hear()
		_ = w.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(closeWait)) // a failure shows in what is written next
		return nil
	})
	w.ws.SetPongHandler(func(string) error {
		w.hear()
		return nil
	})
	_, frame, err := w.read()
	if err != nil {
		return err
	}
	m, ok := decodeMessage(frame)
	if !ok || m.Type != typeConnected {
		return fmt.Errorf("%w: its first message is not %q", ErrNotHub, typeConnected)
	}
	if err := m.Decode(&w.welcome); err != nil {
		return fmt.Errorf("%w: %w", ErrNotHub, err)
	}
	return nil
}

func (w *wire) hear() { w.heard.Store(int64(time.Since(w.born))) }

// silence returns for how long the hub has not been heard. Nothing can be heard
// while the reader waits for handlers.
func (w *wire) silence() time.Duration {
	if !w.reading.Load() {
		return 0
	}
	return time.Since(w.born) - time.Duration(w.heard.Load())
}

// read reads the next message, which is valid until the next call. Its error is why the connection has ended.
func (w *wire) read() (op int, frame []byte, err error) {
	w.hear()
	w.reading.Store(true)
	defer w.reading.Store(false)
	op, r, err := w.ws.NextReader()
	if err != nil {
		return 0, nil, w.why(err)
	}
	w.hear()
	// The codec's limit is for what is on the wire: this one is for what it
	// inflates to.
	limit := int64(w.opts.MaxMessageSize)
	if w.buffer.Cap() > keptBuffer {
		w.buffer = bytes.Buffer{}
	}
	w.buffer.Reset()
	n, err := w.buffer.ReadFrom(io.LimitReader(r, limit+1))
	if err != nil {
		return 0, nil, w.why(err)
	}
	if n > limit {
		w.bye(websocket.CloseMessageTooBig, ErrTooLarge)
		return 0, nil, w.why(ErrTooLarge)
	}
	return op, w.buffer.Bytes(), nil
}

// why returns the cause behind an error of reading.
func (w *wire) why(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cause != nil {
		return w.cause
	}
	// The codec says 1006 for an end without a close frame.
	if e, ok := errors.AsType[*websocket.CloseError](err); ok && e.Code != websocket.CloseAbnormalClosure {
		return &CloseError{Code: e.Code, Reason: e.Text}
	}
	if errors.Is(err, websocket.ErrReadLimit) {
		return ErrTooLarge
	}
	return fmt.Errorf("%w: %w", errLost, err)
}

// write writes a message. begun tells whether anything of it may have left. A
// message that ctx interrupts ends the connection: half of it cannot be taken
// back.
func (w *wire) write(ctx context.Context, frame []byte) (begun bool, err error) {
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	case <-w.lost:
		return false, errLost
	}
	defer func() { <-w.turn }()
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	stop := context.AfterFunc(ctx, func() { w.cut(errLost) })
	defer stop()
	_ = w.ws.SetWriteDeadline(time.Now().Add(w.opts.WriteTimeout)) // always nil
	err = w.ws.WriteMessage(websocket.TextMessage, frame)
	if errors.Is(err, websocket.ErrCloseSent) { // nothing is written behind a close frame
		select {
		case <-w.lost:
			return false, errLost
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	if err != nil {
		w.cut(fmt.Errorf("%w: %w", errLost, err))
		return true, err
	}
	return true, nil
}

// cut ends the connection without a word.
func (w *wire) cut(cause error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cause == nil {
		w.cause = cause
	}
	_ = w.conn.Close()
}

// goodbye closes the connection properly; the reader notices.
func (w *wire) goodbye(cause error) { w.bye(websocket.CloseNormalClosure, cause) }

// bye sends a close frame and leaves the hub a moment to answer it.
func (w *wire) bye(code int, cause error) {
	w.mu.Lock()
	if w.cause == nil {
		w.cause = cause
	}
	w.mu.Unlock()
	deadline := time.Now().Add(closeWait)
	_ = w.ws.SetReadDeadline(deadline) // fails on a closed connection only
	_ = w.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), deadline)
}

// after calls f on a goroutine of its own when d has passed, unless the
// connection ends before. There is one timer for each name: a further call
// replaces it.
func (w *wire) after(name string, d time.Duration, f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return
	}
	if t := w.timers[name]; t != nil {
		t.Stop()
	}
	if w.timers == nil {
		w.timers = map[string]*time.Timer{}
	}
	w.timers[name] = time.AfterFunc(d, f)
}

// release closes the connection and forgets what belongs to it.
func (w *wire) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.conn.Close()
	w.over = true
	for _, t := range w.timers {
		t.Stop()
	}
	w.timers, w.answers = nil, nil
}
