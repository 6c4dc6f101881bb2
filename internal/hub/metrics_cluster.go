package hub

import "github.com/prometheus/client_golang/prometheus"

// Metrics of a node's part in a cluster, kept there and read when asked for.
var (
	descNodes       = prometheus.NewDesc("gohub_cluster_nodes", "Nodes of the cluster that this one knows, itself included.", nil, nil)
	descDegraded    = prometheus.NewDesc("gohub_bus_degraded", "1 while the bus is away.", nil, nil)
	descBusOut      = prometheus.NewDesc("gohub_bus_published_messages_total", "Messages published to the bus.", nil, nil)
	descBusOutBytes = prometheus.NewDesc("gohub_bus_published_bytes_total", "Bytes published to the bus.", nil, nil)
	descBusIn       = prometheus.NewDesc("gohub_bus_received_messages_total", "Messages received from the bus.", nil, nil)
	descBusInBytes  = prometheus.NewDesc("gohub_bus_received_bytes_total", "Bytes received from the bus.", nil, nil)
	descBusDropped  = prometheus.NewDesc("gohub_bus_dropped_messages_total", "Messages for this node that the bus is known to have dropped.", nil, nil)
	descReconnects  = prometheus.NewDesc("gohub_bus_reconnects_total", "Times that the bus has connected again.", nil, nil)
	descWithheld    = prometheus.NewDesc("gohub_cluster_withheld_messages_total", "Room messages that went no further than this node because the bus was away.", nil, nil)
	descGaps        = prometheus.NewDesc("gohub_cluster_gaps_total", "Gaps found in what rooms on this node heard from other nodes.", nil, nil)
	descRepaired    = prometheus.NewDesc("gohub_cluster_repaired_entries_total", "Entries of histories that were missed and have been read from the log.", nil, nil)
)

var clusterDescs = []*prometheus.Desc{
	descNodes, descDegraded, descBusOut, descBusOutBytes, descBusIn, descBusInBytes, descBusDropped, descReconnects, descWithheld, descGaps, descRepaired,
}

// collectCluster adds the metrics of the cluster; there are none where the node
// is alone.
func (h *Hub) collectCluster(gauge func(*prometheus.Desc, float64), count func(*prometheus.Desc, uint64)) {
	c := h.cluster
	if c == nil {
		return
	}
	gauge(descNodes, float64(len(c.Nodes())))
	degraded := 0.0
	if _, away := c.Degraded(); away {
		degraded = 1
	}
	gauge(descDegraded, degraded)
	s := c.BusStats()
	count(descBusOut, s.PublishedMessages)
	count(descBusOutBytes, s.PublishedBytes)
	count(descBusIn, s.ReceivedMessages)
	count(descBusInBytes, s.ReceivedBytes)
	count(descBusDropped, s.Dropped)
	count(descReconnects, s.Reconnects)
	count(descWithheld, c.Metrics.Withheld.Load())
	count(descGaps, c.Metrics.Gaps.Load())
	count(descRepaired, c.Metrics.Repaired.Load())
}
