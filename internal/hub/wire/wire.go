// Package wire is the framing layer of RFC 6455 for a server: a parser that
// takes bytes as they come and yields whole, checked messages, and the
// functions that put messages into frames. It does no I/O, starts no
// goroutine and knows nothing of sockets, so the same code serves both
// engines and can be tested and fuzzed byte by byte.
package wire

import "fmt"

// Opcode is the kind of a frame (RFC 6455, section 5.2).
type Opcode byte

// The opcodes of RFC 6455.
const (
	Continuation Opcode = 0
	Text         Opcode = 1
	Binary       Opcode = 2
	Close        Opcode = 8
	Ping         Opcode = 9
	Pong         Opcode = 10
)

// control tells whether frames of this kind are control frames (section 5.5).
func (o Opcode) control() bool { return o&8 != 0 }

// Close codes of RFC 6455, section 7.4.1 and its registry, as far as a server
// sends or looks at them.
const (
	CodeNormal          = 1000
	CodeGoingAway       = 1001
	CodeProtocol        = 1002
	CodeUnsupported     = 1003
	CodeNoStatus        = 1005 // never on the wire
	CodeAbnormal        = 1006 // never on the wire
	CodeInvalidPayload  = 1007
	CodePolicy          = 1008
	CodeTooBig          = 1009
	CodeInternal        = 1011
	CodeServiceRestart  = 1012
	CodeTryAgainLater   = 1013
	maxControlPayload   = 125
	maxHeader           = 14
	maxServerHeader     = 10
	maxClosePayloadText = maxControlPayload - 2
)

// Error says why a peer's bytes end the connection: the close code to send
// and a short reason that holds nothing the peer sent.
type Error struct {
	Code   int
	Reason string
}

func (e *Error) Error() string { return fmt.Sprintf("websocket %d: %s", e.Code, e.Reason) }

func protocolError(reason string) *Error { return &Error{CodeProtocol, reason} }

var (
	errNotMasked    = protocolError("frame is not masked")
	errReserved     = protocolError("reserved bit set")
	errOpcode       = protocolError("unknown opcode")
	errControl      = protocolError("control frame is fragmented or over 125 bytes")
	errContinuation = protocolError("continuation without a message")
	errInterleaved  = protocolError("new message inside a fragmented one")
	errLength       = protocolError("payload length over 63 bits")
	errClosePayload = protocolError("malformed close frame")
	errUTF8         = &Error{CodeInvalidPayload, "text is not UTF-8"}
	errDeflate      = &Error{CodeInvalidPayload, "compressed data is malformed"}
	errTooBig       = &Error{CodeTooBig, "message is over the size limit"}
)
