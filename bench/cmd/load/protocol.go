package main

import (
	"fmt"
	"strconv"
)

// protocol says which text messages a client sends. What comes back is not
// decoded: the tool looks for markers, and for a few words while joining.
type protocol struct {
	open    func(room string) []string // after the handshake; room "" is none
	readyOn func(room string) string   // the client is ready when a message contains this; "" at once
	publish func(dst []byte, room string, payload []byte) []byte
	echo    func(dst []byte, id int, payload []byte) []byte
	join    func(dst []byte, room string) []byte // with join and leave, a client enters and quits at will
	leave   func(dst []byte, room string) []byte
}

func protocols() map[string]protocol {
	return map[string]protocol{"raw": raw(), "gohub": gohub(), "centrifuge": centrifuge()}
}

// raw is what cmd/peer's servers speak: 'P' publishes, anything else is echoed.
func raw() protocol {
	return protocol{
		open:    func(string) []string { return nil },
		readyOn: func(string) string { return "" },
		publish: func(dst []byte, _ string, p []byte) []byte { return append(append(dst, 'P'), p...) },
		echo:    func(dst []byte, _ int, p []byte) []byte { return append(dst, p...) },
	}
}

func gohub() protocol {
	join := func(dst []byte, room string) []byte {
		return fmt.Appendf(dst, `{"message_type":"join_room","data":{"room_id":%q}}`, room)
	}
	return protocol{
		open: func(room string) []string {
			if room == "" {
				return nil
			}
			return []string{string(join(nil, room))}
		},
		readyOn: func(room string) string {
			if room == "" {
				return ""
			}
			return joinedWord
		},
		publish: func(dst []byte, room string, p []byte) []byte {
			return fmt.Appendf(dst, `{"message_type":"room_message","data":{"room_id":%q,"content":"%s"}}`, room, p)
		},
		echo: func(dst []byte, id int, p []byte) []byte {
			dst = append(dst, `{"message_type":"echo","message_id":`...)
			dst = strconv.AppendInt(dst, int64(id), 10)
			dst = append(dst, `,"data":{"text":"`...)
			return append(append(dst, p...), `"}}`...)
		},
		join: join,
		leave: func(dst []byte, room string) []byte {
			return fmt.Appendf(dst, `{"message_type":"leave_room","data":{"room_id":%q}}`, room)
		},
	}
}

// The words by which replies of the gohub protocol are known.
const (
	joinedWord = `"room_joined"`
	leftWord   = `"room_left"`
	errorWord  = `"message_type":"error"`
)

func centrifuge() protocol {
	return protocol{
		open: func(room string) []string {
			open := []string{`{"id":1,"connect":{}}`}
			if room != "" {
				open = append(open, fmt.Sprintf(`{"id":2,"subscribe":{"channel":%q}}`, room))
			}
			return open
		},
		readyOn: func(room string) string {
			if room == "" {
				return `"connect"`
			}
			return `"subscribe"`
		},
		publish: func(dst []byte, room string, p []byte) []byte {
			return fmt.Appendf(dst, `{"id":3,"publish":{"channel":%q,"data":"%s"}}`, room, p)
		},
		echo: func(dst []byte, id int, p []byte) []byte {
			return fmt.Appendf(dst, `{"id":%d,"rpc":{"method":"echo","data":"%s"}}`, id+10, p)
		},
	}
}
