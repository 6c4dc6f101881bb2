// Package client is the Go client of GoHub. It connects, stays connected and
// says so where it cannot: it reconnects at the pace that the hub asks for,
// joins its rooms again from the last position it saw, renews its token in
// place, and tells of every message that was lost.
//
//	c, err := client.Dial(ctx, "wss://hub.example.com/ws", client.Options{
//		Token: client.StaticToken(token),
//		OnRoomMessage: func(ctx context.Context, m client.RoomMessage) {
//			fmt.Printf("%s: %s\n", m.Sender, m.Content)
//		},
//	})
//	...
//	_, err = c.Join(ctx, "lobby", client.JoinOptions{})
//	_, err = c.Publish(ctx, "lobby", "hi")
//
// A call waits for a connection and for the hub's answer as long as its ctx
// allows. Its error says which of three things happened:
//
//   - nil: the hub did it;
//   - an error that is [ErrUnknown]: the message left, its answer did not come;
//   - any other: it was not done, and will not be. A *[hub.Error] is the hub's
//     own answer.
//
// Handlers are called one at a time, in the order in which the hub sent what
// they are called for. They may make calls of their own. While they take long
// the client stops reading, so that the hub sees a slow client.
//
// An idle client has one goroutine; another runs while handlers do. The wire
// protocol is described in docs/protocol.md.
package client
