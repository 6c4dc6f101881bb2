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
		clustered := cfg.EnableCluster
		s.Handle("/", page.Handler(func() page.Stats { return pageStats(s, clustered) }))
	}
	return s.Start()
}

// pageStats are the numbers that the page shows.
func pageStats(s *server.Server, clustered bool) page.Stats {
	x := s.Stats()
	stats := page.Stats{
		Clients: x.Clients, Rooms: x.Rooms, MessagesReceived: x.MessagesReceived, MessagesSent: x.MessagesSent,
		Node: s.Node(), Version: server.Version(), UptimeSeconds: int64(x.Uptime.Seconds()),
		BusSent: x.BusSent, BusReceived: x.BusReceived,
	}
	if !clustered {
		return stats
	}
	c := s.SDK().ClusterStats()
	stats.Degraded = c.Degraded
	for _, n := range c.Nodes {
		stats.Nodes = append(stats.Nodes, page.Node{
			ID: n.ID, Connections: n.Connections, Rooms: n.Rooms, Ready: n.Ready, Silent: n.Silent, Draining: n.Draining, Address: n.Address,
		})
	}
	return stats
}
