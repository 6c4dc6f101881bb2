// Package result is what the load tool measured, as it writes it and the report reads it.
package result

// Run is the JSON line of one run. Memory is in bytes, times are in microseconds unless named otherwise.
type Run struct {
	Set    string `json:"set"`
	Server string `json:"server"`
	Round  int    `json:"round"`
	Mode   string `json:"mode"`

	Conns     int64  `json:"conns"`
	Failed    int64  `json:"failed"`
	Closed    int64  `json:"closed"` // by the server
	Errors    int64  `json:"errors"`
	Lost      int64  `json:"lost"`
	Reordered int64  `json:"reordered"`
	SelfHeard int64  `json:"self_heard"`
	Note      string `json:"note,omitempty"` // the first failure or error

	ConnectSeconds float64 `json:"connect_seconds"`
	ConnectCPU     float64 `json:"server_cpu_us_per_connect"`

	RSSPerConn     float64 `json:"rss_per_conn,omitempty"` // before a collection
	RSSPerConnGC   float64 `json:"rss_per_conn_gc,omitempty"`
	AnonPerConnGC  float64 `json:"anon_per_conn_gc,omitempty"`
	HeapPerConn    float64 `json:"heap_per_conn,omitempty"`
	Goroutines     int     `json:"goroutines"`       // with the connections
	GoroutinesBase int     `json:"goroutines_base"`  // without
	IdleCPU        float64 `json:"idle_cpu_percent"` // of a core, while the connections did nothing
	ClientRSS      int64   `json:"client_rss"`

	Sent           int64   `json:"sent,omitempty"`
	Expected       int64   `json:"expected,omitempty"`
	Delivered      int64   `json:"delivered,omitempty"`
	BytesPerMsg    float64 `json:"bytes_per_message,omitempty"` // on the wire to a client
	PerSecond      float64 `json:"per_second,omitempty"`
	PerCPUSecond   float64 `json:"per_server_cpu_second,omitempty"`
	CPUPerMsg      float64 `json:"server_cpu_us_per_message,omitempty"`
	UserCPUPerMsg  float64 `json:"server_user_us_per_message,omitempty"`
	ClientPerMsg   float64 `json:"client_cpu_us_per_message,omitempty"`
	AllocsPerMsg   float64 `json:"allocs_per_message,omitempty"`
	P50            float64 `json:"p50_us,omitempty"`
	P99            float64 `json:"p99_us,omitempty"`
	Small          *Pairs  `json:"small_room,omitempty"`
	Large          *Pairs  `json:"large_room,omitempty"`
	Cycles         int64   `json:"cycles,omitempty"`
	Left           *Left   `json:"left,omitempty"`
	SecondsInTotal float64 `json:"seconds"`
}

// Pairs are joins followed by leaves in one room; the times are of a pair.
type Pairs struct {
	Members int64   `json:"members"`
	Pairs   int64   `json:"pairs"`
	P50     float64 `json:"p50_us"`
	P99     float64 `json:"p99_us"`
	CPU     float64 `json:"server_cpu_us"`
}

// Left is what the server still holds over its base after all clients are gone.
type Left struct {
	FDs        int   `json:"fds"`
	Goroutines int   `json:"goroutines"`
	Clients    int   `json:"clients"`
	Rooms      int   `json:"rooms"`
	RSS        int64 `json:"rss"` // after a collection, in all
}
