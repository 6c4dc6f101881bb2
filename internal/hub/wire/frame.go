package wire

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

const rsv1 = 0x40

// AppendHeader appends the header of an unmasked, final frame with n bytes of
// payload. compressed sets RSV1, which permessage-deflate (RFC 7692, section
// 6) uses to mark a compressed message.
func AppendHeader(dst []byte, op Opcode, n int, compressed bool) []byte {
	first := 0x80 | byte(op)
	if compressed {
		first |= rsv1
	}
	switch {
	case n <= maxControlPayload:
		return append(dst, first, byte(n))
	case n < 1<<16:
		return append(dst, first, 126, byte(n>>8), byte(n))
	default:
		dst = append(dst, first, 127)
		return binary.BigEndian.AppendUint64(dst, uint64(n))
	}
}

// AppendFrame appends a whole unmasked frame.
func AppendFrame(dst []byte, op Opcode, payload []byte) []byte {
	return append(AppendHeader(dst, op, len(payload), false), payload...)
}

// Frame returns payload in a frame of its own, allocated once.
func Frame(op Opcode, payload []byte) []byte {
	return AppendFrame(make([]byte, 0, len(payload)+maxServerHeader), op, payload)
}

// HeaderSize returns the length of the header of an unmasked frame with n
// bytes of payload.
func HeaderSize(n int) int {
	switch {
	case n <= maxControlPayload:
		return 2
	case n < 1<<16:
		return 4
	default:
		return maxServerHeader
	}
}

// CloseFrame returns a close frame. A reason over 123 bytes is cut at a rune
// boundary, and what is not UTF-8 in it is replaced by U+FFFD; a code that must
// not be sent (such as 1005, 1006 or 1015) gives an empty payload.
func CloseFrame(code int, reason string) []byte {
	if !Sendable(code) {
		return Frame(Close, nil)
	}
	reason = strings.ToValidUTF8(reason, "\uFFFD")
	if len(reason) > maxClosePayloadText {
		end := maxClosePayloadText
		for !utf8.RuneStart(reason[end]) {
			end--
		}
		reason = reason[:end]
	}
	frame := AppendHeader(make([]byte, 0, 4+len(reason)), Close, 2+len(reason), false)
	frame = binary.BigEndian.AppendUint16(frame, uint16(code))
	return append(frame, reason...)
}

// ParseClose reads the payload of a peer's close frame (section 7.4). No
// payload is CodeNoStatus; a code or reason that RFC 6455 forbids is an *Error.
func ParseClose(payload []byte) (code int, reason string, err error) {
	if len(payload) == 0 {
		return CodeNoStatus, "", nil
	}
	if len(payload) == 1 {
		return 0, "", errClosePayload
	}
	code = int(binary.BigEndian.Uint16(payload))
	if !Sendable(code) {
		return 0, "", errClosePayload
	}
	if !utf8.Valid(payload[2:]) {
		return 0, "", errUTF8
	}
	return code, string(payload[2:]), nil
}

// Sendable tells whether an endpoint may put code into a close frame.
func Sendable(code int) bool {
	switch {
	case code >= 1000 && code <= 1014:
		return code != 1004 && code != CodeNoStatus && code != CodeAbnormal
	default:
		return code >= 3000 && code <= 4999
	}
}
