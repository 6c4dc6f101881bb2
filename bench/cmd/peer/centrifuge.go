package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"

	"github.com/centrifugal/centrifuge"
)

// centrifugeServer is the centrifugal/centrifuge library with its memory broker
// and JSON protocol; the load tool speaks to it with -proto centrifuge.
type centrifugeServer struct{ node *centrifuge.Node }

func newCentrifuge(options) (server, error) {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		return nil, fmt.Errorf("create node: %w", err)
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{}}, nil
	})
	node.OnConnect(func(c *centrifuge.Client) {
		c.OnSubscribe(func(_ centrifuge.SubscribeEvent, reply centrifuge.SubscribeCallback) {
			reply(centrifuge.SubscribeReply{}, nil)
		})
		c.OnPublish(func(_ centrifuge.PublishEvent, reply centrifuge.PublishCallback) {
			reply(centrifuge.PublishReply{}, nil)
		})
		c.OnRPC(func(e centrifuge.RPCEvent, reply centrifuge.RPCCallback) {
			reply(centrifuge.RPCReply{Data: e.Data}, nil)
		})
	})
	if err := node.Run(); err != nil {
		return nil, fmt.Errorf("run node: %w", err)
	}
	return &centrifugeServer{node}, nil
}

func (s *centrifugeServer) Serve(ln net.Listener) error {
	h := centrifuge.NewWebsocketHandler(s.node, centrifuge.WebsocketConfig{
		ReadBufferSize:     512,
		UseWriteBufferPool: true,
		CheckOrigin:        func(*http.Request) bool { return true },
	})
	return serveHTTP(ln, h.ServeHTTP)
}

func (s *centrifugeServer) Publish(room string, payloads [][]byte) error {
	for _, p := range payloads {
		data, err := json.Marshal(string(p))
		if err != nil {
			return fmt.Errorf("encode payload: %w", err)
		}
		if _, err := s.node.Publish(room, data); err != nil {
			return fmt.Errorf("publish to %q: %w", room, err)
		}
	}
	return nil
}

func (s *centrifugeServer) Gauges() (clients, rooms int) {
	return s.node.Hub().NumClients(), s.node.Hub().NumChannels()
}
