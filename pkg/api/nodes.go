package api

// Node describes one node.
type Node struct {
	ID            string `json:"id"`
	Version       string `json:"version"`
	Address       string `json:"address,omitempty"` // it listens on; empty where it is not known
	Connections   int    `json:"connections"`
	Rooms         int    `json:"rooms"`
	Load          int    `json:"load"`     // messages a second from clients, over the last heartbeats
	Ready         bool   `json:"ready"`    // it takes part in the cluster
	Silent        bool   `json:"silent"`   // its last heartbeat is overdue
	Draining      bool   `json:"draining"` // it sends its clients away, or has done so
	UptimeSeconds int64  `json:"uptime_seconds"`
}

// NodeList lists the nodes.
type NodeList struct {
	Nodes []Node `json:"nodes"`
	Count int    `json:"count"`
}

// Stats is what the answering node has to do.
type Stats struct {
	Node             string `json:"node"`
	Clients          int    `json:"clients"`
	Rooms            int    `json:"rooms"`
	MessagesReceived uint64 `json:"messages_received"` // from clients, since the start
	MessagesSent     uint64 `json:"messages_sent"`     // to clients, each delivery counted
	QueuedBytes      int64  `json:"queued_bytes"`      // waiting for slow clients
	Draining         bool   `json:"draining"`
	UptimeSeconds    int64  `json:"uptime_seconds"`
	Capacity         int    `json:"capacity"` // connections accepted; 0: no limit
	Bus              string `json:"bus"`      // "ok", "away", or "noop" for a hub alone
}

// DrainRequest sends the clients of the answering node away. Each field is a
// duration as text with a unit, such as "10s" or "1m30s"; an empty one means
// the hub's own setting. Delay and window together must not exceed the timeout.
type DrainRequest struct {
	Delay   string `json:"delay,omitempty"`   // not ready, but connections are still taken; "0s": none
	Window  string `json:"window,omitempty"`  // over which the clients are sent away; "0s": all at once
	Timeout string `json:"timeout,omitempty"` // bounds all of it; "0s": no bound
}
