// Minimal is the smallest hub. Everything in docs/protocol.md works: rooms,
// direct messages, members, pings. Try it with any websocket client:
//
//	{"message_type":"join_room","data":{"room_id":"lobby"},"message_id":1}
package main

import (
	"log"

	"github.com/chenxilol/gohub/server"
)

func main() {
	s, err := newServer(":8080")
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Start(); err != nil { // until SIGTERM or Ctrl-C
		log.Fatal(err)
	}
}

// newServer returns a hub on addr where everybody may connect: all other
// options are left to their defaults.
func newServer(addr string) (*server.Server, error) {
	return server.NewServer(&server.Options{Address: addr})
}
