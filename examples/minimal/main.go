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
	s, err := server.NewServer(nil) // all defaults: port 8080, everybody may connect
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Start(); err != nil { // until SIGTERM or Ctrl-C
		log.Fatal(err)
	}
}
