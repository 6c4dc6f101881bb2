// Auth asks every client for a token that says who it is and what it may do.
// It prints one to try:
//
//	new WebSocket("ws://localhost:8080/ws", ["gohub.v1", "gohub.token." + token])
package main

import (
	"fmt"
	"log"
	"time"

	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/server"
)

// secret is shared with whoever issues the tokens. A real one comes from a
// file or the environment (see examples/image).
const secret = "an-example-secret-of-32-bytes-or-more"

func main() {
	token, err := newToken("alice", time.Hour)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token)
	s, err := newServer(&server.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Start(); err != nil {
		log.Fatal(err)
	}
}

func newServer(opts *server.Options) (*server.Server, error) {
	opts.EnableAuth = true
	opts.JWTSecretKey = secret
	opts.JWTIssuer = "example"
	// Whoever has no token may listen to the news, and nothing else.
	opts.AllowAnonymous = true
	opts.AnonymousPermissions = []auth.Permission{"join:room:news", "read:message:news"}
	// Joining the news makes the room, even for those who may not create rooms.
	opts.Rooms = []server.RoomRule{{Pattern: "news", Create: true}}
	return server.NewServer(opts)
}

// newToken is what an identity provider does.
func newToken(id string, ttl time.Duration) (string, error) {
	issuer, err := auth.NewIssuer(auth.IssuerConfig{SecretKey: secret, Issuer: "example"})
	if err != nil {
		return "", err
	}
	return issuer.Issue(auth.TokenClaims{
		Subject: id,
		Permissions: []auth.Permission{
			auth.PermReadMessage, // in every room
			"join:room:chat.*",   // in rooms whose name begins with "chat."
			"create:room:chat.*",
			"send:message:chat.*",
		},
	}, ttl)
}
