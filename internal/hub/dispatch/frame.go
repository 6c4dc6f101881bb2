package dispatch

import (
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf8"

	"github.com/chenxilol/gohub/internal/hub/wire"
	"github.com/chenxilol/gohub/pkg/hub"
)

// envelopeRoom is what an envelope needs besides its type and data.
const envelopeRoom = 120

// Frame returns the frame of a message from the hub: ready for the wire, in
// one allocation. data is JSON; nil is null.
func Frame(messageType string, data []byte, nowMillis, messageID, requestID int64) []byte {
	return FrameFunc(messageType, len(data), func(b []byte) []byte {
		return appendData(b, data)
	}, nowMillis, messageID, requestID)
}

func appendData(b, data []byte) []byte {
	if data == nil {
		return append(b, "null"...)
	}
	return append(b, data...)
}

// FrameFunc is Frame with data appended by a function, in about dataSize
// bytes.
func FrameFunc(messageType string, dataSize int, data func([]byte) []byte, nowMillis, messageID, requestID int64) []byte {
	buf := make([]byte, maxHeader, maxHeader+len(messageType)+dataSize+envelopeRoom)
	buf = appendType(buf, messageType)
	return withHeader(appendRest(data(buf), nowMillis, messageID, requestID))
}

// Buffer is memory to build one frame after the other in.
type Buffer struct{ buf []byte }

// maxKept is the largest memory a Buffer keeps for the next frame.
const maxKept = 16 << 10

// Frame is Frame in the buffer's memory: the result is valid until the next.
func (b *Buffer) Frame(messageType string, data []byte, nowMillis, messageID, requestID int64) []byte {
	if cap(b.buf) < maxHeader || cap(b.buf) > maxKept {
		b.buf = make([]byte, maxHeader, 512)
	}
	buf := appendData(appendType(b.buf[:maxHeader], messageType), data)
	b.buf = appendRest(buf, nowMillis, messageID, requestID)
	return withHeader(b.buf)
}

func appendType(buf []byte, messageType string) []byte {
	buf = append(buf, `{"message_type":`...)
	buf = AppendString(buf, messageType)
	return append(buf, `,"data":`...)
}

func appendRest(buf []byte, nowMillis, messageID, requestID int64) []byte {
	buf = append(buf, `,"timestamp":`...)
	buf = strconv.AppendInt(buf, nowMillis, 10)
	buf = append(buf, `,"message_id":`...)
	buf = strconv.AppendInt(buf, messageID, 10)
	if requestID != 0 {
		buf = append(buf, `,"request_id":`...)
		buf = strconv.AppendInt(buf, requestID, 10)
	}
	return append(buf, '}')
}

// maxHeader is the room left for a frame's header.
const maxHeader = 10

// withHeader puts the header right before the payload buf[maxHeader:].
func withHeader(buf []byte) []byte {
	n := len(buf) - maxHeader
	start := maxHeader - wire.HeaderSize(n)
	wire.AppendHeader(buf[:start], wire.Text, n, false)
	return buf[start:]
}

// ErrorFrame returns the frame that tells a client of err. An error that is
// no *hub.Error is CodeServer, without its text.
func ErrorFrame(err error, nowMillis, requestID int64) []byte {
	e := AsError(err)
	data, encodeErr := json.Marshal(struct {
		Code      int    `json:"code"`
		Message   string `json:"message"`
		RequestID int64  `json:"request_id"`
		Details   any    `json:"details,omitempty"`
	}{e.Code, e.Message, requestID, e.Details})
	if encodeErr != nil || !utf8.Valid(data) { // the details cannot be encoded: the error goes without
		data, _ = json.Marshal(map[string]any{"code": e.Code, "message": e.Message, "request_id": requestID})
	}
	return Frame("error", data, nowMillis, 0, requestID)
}

// AsError returns the error that a client gets to see for err.
func AsError(err error) *hub.Error {
	// A handler that returns a nil *hub.Error as an error has not returned nil.
	if e, ok := errors.AsType[*hub.Error](err); ok && e != nil {
		return e
	}
	return hub.NewError(hub.CodeServer, "the server could not handle the message")
}
