package client_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"runtime"

	"github.com/chenxilol/gohub/pkg/client"
	"github.com/chenxilol/gohub/server"
)

// Two clients in one room: what one publishes, the other's handler gets.
func Example() {
	address, stop := startHub()
	defer stop()
	ctx := context.Background()

	got := make(chan string)
	alice, err := client.Dial(ctx, address, client.Options{
		ClientID: "alice",
		OnRoomMessage: func(_ context.Context, m client.RoomMessage) {
			got <- fmt.Sprintf("%s in %s: %s", m.Sender, m.Room, m.Content)
		},
		OnEvent: func(_ context.Context, e client.Event) {
			switch e := e.(type) {
			case client.Gap:
				log.Printf("messages of %s are lost: %s", e.Room, e.Reason)
			case client.Rejoined:
				log.Printf("back in %s, recovered: %v", e.Room, e.Recovered)
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer alice.Close(ctx)
	bob, err := client.Dial(ctx, address, client.Options{ClientID: "bob"})
	if err != nil {
		log.Fatal(err)
	}
	defer bob.Close(ctx)

	for _, c := range []*client.Client{alice, bob} {
		if _, err := c.Join(ctx, "lobby", client.JoinOptions{}); err != nil {
			log.Fatal(err)
		}
	}
	receipt, err := bob.Publish(ctx, "lobby", "hello")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("reached the", receipt.Scope)
	fmt.Println(<-got)
	// Output:
	// reached the cluster
	// bob in lobby: "hello"
}

// startHub runs a hub for the example.
func startHub() (address string, stop func()) {
	s, err := server.NewServer(&server.Options{
		Address: "127.0.0.1:0", DisableSignals: true, EnableQueryClientID: true,
		Logger: slog.New(slog.DiscardHandler), Drain: server.Drain{Delay: -1, Window: -1},
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	for s.Addr() == nil {
		runtime.Gosched()
	}
	return "ws://" + s.Addr().String() + "/ws", func() {
		cancel()
		<-done
	}
}
