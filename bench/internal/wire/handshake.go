package wire

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

const (
	clientKey = "Z29odWIgYmVuY2ggIGtleQ=="
	acceptKey = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455 section 1.3
)

// NoContextTakeover is the extension offer of a client that keeps no window
// between messages (RFC 7692 section 7.1.1): every message inflates by itself.
const NoContextTakeover = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// Request is a client's opening handshake. Subprotocol and deflate are optional.
func Request(host, path, subprotocol string, deflate bool) []byte {
	b := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n", path, host, clientKey)
	if subprotocol != "" {
		b = fmt.Appendf(b, "Sec-WebSocket-Protocol: %s\r\n", subprotocol)
	}
	if deflate {
		b = fmt.Appendf(b, "Sec-WebSocket-Extensions: %s\r\n", NoContextTakeover)
	}
	return append(b, "\r\n"...)
}

// Response is what a server answered to Request.
type Response struct {
	Subprotocol string
	Deflate     bool
}

// ParseResponse takes the response off b and returns its size in bytes, 0 when
// it is not complete. Anything but a correct 101 is an error with the status line.
func ParseResponse(b []byte) (r Response, size int, err error) {
	head, size := headerBlock(b)
	if size == 0 {
		return r, 0, nil
	}
	status, fields := splitHeader(head)
	if !strings.HasPrefix(status, "HTTP/1.1 101") {
		return r, 0, fmt.Errorf("wire: upgrade refused: %q", status)
	}
	if got := fields["sec-websocket-accept"]; got != accept(clientKey) {
		return r, 0, fmt.Errorf("wire: wrong Sec-WebSocket-Accept %q", got)
	}
	r.Subprotocol = fields["sec-websocket-protocol"]
	r.Deflate = strings.Contains(fields["sec-websocket-extensions"], "permessage-deflate")
	return r, size, nil
}

// Upgrade answers a client's handshake at the start of b with a plain 101. It
// returns the request's size in bytes, 0 when it is not complete.
func Upgrade(b []byte) (response []byte, size int, err error) {
	head, size := headerBlock(b)
	if size == 0 {
		return nil, 0, nil
	}
	_, fields := splitHeader(head)
	key := fields["sec-websocket-key"]
	if key == "" {
		return nil, 0, errors.New("wire: request without Sec-WebSocket-Key")
	}
	return fmt.Appendf(nil, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\n\r\n", accept(key)), size, nil
}

func headerBlock(b []byte) (head string, size int) {
	i := bytes.Index(b, []byte("\r\n\r\n"))
	if i < 0 {
		return "", 0
	}
	return string(b[:i]), i + 4
}

func splitHeader(head string) (first string, fields map[string]string) {
	first, rest, _ := strings.Cut(head, "\r\n")
	fields = map[string]string{}
	for line := range strings.SplitSeq(rest, "\r\n") {
		name, value, ok := strings.Cut(line, ":")
		if ok {
			fields[strings.ToLower(name)] = strings.TrimSpace(value)
		}
	}
	return first, fields
}

func accept(key string) string {
	sum := sha1.Sum([]byte(key + acceptKey))
	return base64.StdEncoding.EncodeToString(sum[:])
}
