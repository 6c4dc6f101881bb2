package hub

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/chenxilol/gohub/pkg/hub"
)

// Metrics are the hub's metrics. Labels take few values, none of them chosen
// by clients.
type Metrics struct {
	hub             *Hub
	messageInterval int64 // ns between messages at the permitted rate; 0: any

	connections    prometheus.Counter
	messagesIn     prometheus.Counter
	bytesIn        prometheus.Counter
	messagesOut    prometheus.Counter
	bytesOut       prometheus.Counter
	published      prometheus.Counter
	panics         prometheus.Counter
	refused        *prometheus.CounterVec
	auth           *prometheus.CounterVec
	closes         *prometheus.CounterVec
	errors         *prometheus.CounterVec
	dropped        *prometheus.CounterVec
	gaps           *prometheus.CounterVec
	outages        *prometheus.CounterVec
	handlerSeconds *prometheus.HistogramVec
	fanOutSeconds  prometheus.Histogram
}

// latencyBuckets reach from a handler that does nothing to one that hangs.
var latencyBuckets = []float64{.00001, .0001, .001, .01, .1, 1, 10}

func newMetrics(h *Hub) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	m := &Metrics{
		hub:         h,
		connections: counter("gohub_connections_total", "Websocket connections accepted."),
		messagesIn:  counter("gohub_messages_received_total", "Messages received from clients."),
		bytesIn:     counter("gohub_received_bytes_total", "Payload bytes of messages received from clients."),
		messagesOut: counter("gohub_direct_messages_sent_total", "Messages sent to single clients: replies, notices, direct messages and broadcasts to all."),
		bytesOut:    counter("gohub_direct_sent_bytes_total", "Bytes of messages sent to single clients."),
		published:   counter("gohub_room_messages_published_total", "Messages published to rooms."),
		panics:      counter("gohub_panics_total", "Panics contained in handlers and event handlers."),
		refused:     vec("gohub_handshakes_refused_total", "Handshakes refused, by reason.", "reason"),
		auth:        vec("gohub_auth_results_total", "Authentication results.", "result"),
		closes:      vec("gohub_closes_total", "Connections ended, by close code.", "code"),
		errors:      vec("gohub_errors_sent_total", "Error messages sent to clients, by code.", "code"),
		dropped:     vec("gohub_messages_dropped_total", "Messages not handled or not delivered, by reason.", "reason"),
		gaps:        vec("gohub_gaps_announced_total", "Gaps announced to clients, by reason.", "reason"),
		outages:     vec("gohub_bus_outages_total", "Times that the bus was found to be away, and back.", "state"),
		handlerSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gohub_handler_duration_seconds", Help: "Time that message handlers took, by message type.", Buckets: latencyBuckets,
		}, []string{"message_type"}),
		fanOutSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gohub_fanout_duration_seconds", Help: "Time from a publication to the end of the pass that delivered it.", Buckets: latencyBuckets,
		}),
	}
	if rate := h.cfg.MessagesPerSecond; rate > 0 {
		m.messageInterval = int64(float64(time.Second) / rate)
	}
	return m
}

// Gauges and counters that are kept elsewhere and read when asked for.
var (
	descClients   = prometheus.NewDesc("gohub_connected_clients", "Clients connected to this node.", nil, nil)
	descCapacity  = prometheus.NewDesc("gohub_max_connections", "Connections this node accepts; 0 where there is no limit.", nil, nil)
	descRooms     = prometheus.NewDesc("gohub_rooms", "Rooms.", nil, nil)
	descQueued    = prometheus.NewDesc("gohub_send_queue_bytes", "Bytes that wait for slow clients.", nil, nil)
	descDelivered = prometheus.NewDesc("gohub_room_messages_delivered_total", "Room messages written or queued, counted per member.", nil, nil)
	descSent      = prometheus.NewDesc("gohub_messages_sent_total", "Messages sent to clients, room deliveries included.", nil, nil)
	descSlow      = prometheus.NewDesc("gohub_room_messages_dropped_total", "Room messages not delivered because a member was too slow, counted per member.", nil, nil)
	descPasses    = prometheus.NewDesc("gohub_fanout_passes_total", "Passes over the members of rooms.", nil, nil)
	descDraining  = prometheus.NewDesc("gohub_draining", "1 while the hub is on its way out.", nil, nil)
)

func (m *Metrics) parts() []prometheus.Collector {
	return []prometheus.Collector{
		m.connections, m.messagesIn, m.bytesIn, m.messagesOut, m.bytesOut, m.published, m.panics, m.refused, m.auth,
		m.closes, m.errors, m.dropped, m.gaps, m.outages, m.handlerSeconds, m.fanOutSeconds,
	}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(out chan<- *prometheus.Desc) {
	for _, p := range m.parts() {
		p.Describe(out)
	}
	for _, d := range []*prometheus.Desc{descClients, descCapacity, descRooms, descQueued, descDelivered, descSent, descSlow, descPasses, descDraining} {
		out <- d
	}
	for _, d := range clusterDescs {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	for _, p := range m.parts() {
		p.Collect(out)
	}
	gauge := func(d *prometheus.Desc, v float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	count := func(d *prometheus.Desc, v uint64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
	}
	h := m.hub
	h.collectCluster(gauge, count)
	s := h.Stats()
	gauge(descClients, float64(s.Clients))
	gauge(descCapacity, float64(s.Capacity))
	gauge(descRooms, float64(s.Rooms))
	gauge(descQueued, float64(h.engine.Queued()))
	count(descDelivered, h.fan.Delivered.Load())
	count(descSent, s.MessagesSent)
	count(descSlow, h.fan.Dropped.Load())
	count(descPasses, h.fan.Passes.Load())
	draining := 0.0
	if s.Draining {
		draining = 1
	}
	gauge(descDraining, draining)
}

func (m *Metrics) received(bytes int) {
	m.messagesIn.Inc()
	m.bytesIn.Add(float64(bytes))
}

func (m *Metrics) sent(messages, bytes int) {
	m.messagesOut.Add(float64(messages))
	m.bytesOut.Add(float64(bytes))
}

func (m *Metrics) connected() { m.connections.Inc() }

func (m *Metrics) closed(code int) { m.closes.WithLabelValues(closeLabel(code)).Inc() }

func (m *Metrics) observeFanOut(d time.Duration) { m.fanOutSeconds.Observe(d.Seconds()) }

// closeLabel keeps the codes that clients can invent out of the labels.
func closeLabel(code int) string {
	switch code {
	case 1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1011, 1012, 1013,
		hub.CloseTokenExpired, hub.CloseForbidden, hub.CloseTooSlow, hub.CloseReplaced, hub.CloseRate:
		return strconv.Itoa(code)
	default:
		return "other"
	}
}

// errorLabel keeps the codes of the application's own errors in bounds.
func errorLabel(code int) string {
	if code >= hub.CodeUnknown && code <= hub.CodeTooLarge {
		return strconv.Itoa(code)
	}
	return "other"
}

// Stats is the state of a node.
type Stats struct {
	Clients          int
	Rooms            int
	MessagesReceived uint64
	MessagesSent     uint64
	QueuedBytes      int64
	Draining         bool
	Uptime           time.Duration
	Capacity         int // connections accepted; 0: no limit
}

// Stats returns the state of the node.
func (h *Hub) Stats() Stats {
	return Stats{
		Clients: h.ClientCount(), Rooms: h.RoomCount(),
		MessagesReceived: value(h.metrics.messagesIn),
		MessagesSent:     value(h.metrics.messagesOut) + h.fan.Delivered.Load(),
		QueuedBytes:      h.engine.Queued(), Draining: h.Draining(), Uptime: h.Uptime(),
		Capacity: h.cfg.MaxConnections,
	}
}

// Received returns how many messages have come from clients.
func (m *Metrics) Received() uint64 { return value(m.messagesIn) }

// value reads a counter.
func value(c prometheus.Counter) uint64 {
	var m dto.Metric
	if c.Write(&m) != nil {
		return 0
	}
	return uint64(m.GetCounter().GetValue())
}
