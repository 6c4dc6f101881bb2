package server

import (
	"math"
	"net/http"
	"time"

	"github.com/chenxilol/gohub/internal/hub/cluster"
	"github.com/chenxilol/gohub/pkg/api"
	"github.com/chenxilol/gohub/pkg/config"
	"github.com/chenxilol/gohub/pkg/hub"
)

func (a *admin) nodes(*adminCall) (int, any, error) {
	c := a.hub.Cluster()
	if c == nil {
		return http.StatusOK, api.NodeList{Nodes: []api.Node{a.node()}, Count: 1}, nil
	}
	var list api.NodeList
	for _, n := range c.Nodes() {
		list.Nodes = append(list.Nodes, nodeOf(n))
	}
	list.Count = len(list.Nodes)
	return http.StatusOK, list, nil
}

func nodeOf(n cluster.NodeInfo) api.Node {
	return api.Node{
		ID: n.ID, Version: n.Version, Address: n.Address, Connections: n.Load.Clients, Rooms: n.Load.Rooms, Load: int(math.Round(n.Rate)),
		Ready: n.Ready, Silent: n.Silent, Draining: n.Draining, UptimeSeconds: int64(time.Since(n.Started).Seconds()),
	}
}

// node describes this node.
func (a *admin) node() api.Node {
	stats := a.hub.Stats()
	n := api.Node{
		ID: a.hub.Node(), Version: Version(), Connections: stats.Clients, Rooms: stats.Rooms,
		Draining: stats.Draining, Ready: true, UptimeSeconds: int64(stats.Uptime.Seconds()),
	}
	if c := a.hub.Cluster(); c != nil {
		return nodeOf(c.Self())
	}
	if addr := a.s.Addr(); addr != nil {
		n.Address = addr.String()
	}
	return n
}

func (a *admin) stats(*adminCall) (int, any, error) {
	x := a.hub.Stats()
	return http.StatusOK, api.Stats{
		Node: a.hub.Node(), Clients: x.Clients, Rooms: x.Rooms,
		MessagesReceived: x.MessagesReceived, MessagesSent: x.MessagesSent, QueuedBytes: x.QueuedBytes,
		Draining: x.Draining, UptimeSeconds: int64(x.Uptime.Seconds()), Capacity: x.Capacity, Bus: a.s.busState(),
	}, nil
}

// drain begins a drain. The hub stays up afterwards, not ready, until it is
// stopped or undrained.
func (a *admin) drain(c *adminCall) (int, any, error) {
	var q api.DrainRequest
	if err := a.decodeOptional(c, &q); err != nil {
		return 0, nil, err
	}
	cfg := a.s.drainConfig()
	for _, f := range []struct {
		name, text string
		set        *time.Duration
	}{{"delay", q.Delay, &cfg.Delay}, {"window", q.Window, &cfg.Window}, {"timeout", q.Timeout, &cfg.Timeout}} {
		if f.text == "" {
			continue
		}
		var d config.Duration
		if err := d.UnmarshalText([]byte(f.text)); err != nil || d < 0 {
			return 0, nil, hub.NewError(hub.CodeFormat, `%s must be a duration with a unit, 0 or more, such as "25s", "1m30s" or "250ms"`, f.name)
		}
		*f.set = time.Duration(d)
	}
	if cfg.Timeout > 0 && cfg.Delay > cfg.Timeout-cfg.Window {
		return 0, nil, hub.NewError(hub.CodeFormat, "timeout (%s) must not be less than delay (%s) and window (%s) together", cfg.Timeout, cfg.Delay, cfg.Window)
	}
	a.hub.StartDrain(cfg)
	return http.StatusAccepted, a.node(), nil
}

func (a *admin) undrain(*adminCall) (int, any, error) {
	if err := a.hub.Undrain(); err != nil {
		return 0, nil, &statusError{http.StatusConflict, hub.NewError(hub.CodeServer, "%s", err)}
	}
	return http.StatusOK, a.node(), nil
}
