package main

import (
	"github.com/chenxilol/gohub/internal/page"
	"github.com/chenxilol/gohub/pkg/config"
	"github.com/chenxilol/gohub/server"
)

// serve runs the hub until a signal.
func serve(cfg config.Config, withPage bool) error {
	s, err := server.NewServer(server.OptionsFromConfig(cfg))
	if err != nil {
		return err
	}
	if withPage {
		s.Handle("/", page.Handler(func() page.Stats {
			x := s.Stats()
			return page.Stats{
				Clients: x.Clients, Rooms: x.Rooms, MessagesReceived: x.MessagesReceived, MessagesSent: x.MessagesSent,
				Node: s.Node(), Version: server.Version(), UptimeSeconds: int64(x.Uptime.Seconds()),
			}
		}))
	}
	return s.Start()
}
