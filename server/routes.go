package server

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	corehub "github.com/chenxilol/gohub/internal/hub"
	"github.com/chenxilol/gohub/pkg/api"
	"github.com/chenxilol/gohub/pkg/hub"
)

// routes sets up the server's endpoints: the websocket and what the user adds
// on the main address; probes there and on the admin address; metrics and the
// admin API on the admin address if there is one.
func (s *Server) routes() {
	s.main = http.NewServeMux()
	admin := s.main
	if s.opts.AdminAddress != "" {
		s.admin = http.NewServeMux()
		admin = s.admin
		s.probes(s.admin)
	}
	s.probes(s.main)
	s.main.Handle("GET /ws", s.hub)
	if s.metrics.handler != nil {
		admin.Handle("GET /metrics", s.metrics.handler)
	}
	s.adminRoutes(admin)
	s.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.seal.Do(s.begun) // with Handler nobody calls Start
		if no := s.refuses(r); no != nil {
			if no.status == http.StatusMethodNotAllowed {
				w.Header().Set("Allow", "GET, HEAD")
			}
			corehub.WriteError(w, no.status, no.err)
			return
		}
		s.main.ServeHTTP(w, r)
	})
}

// refuses returns the JSON error for requests that only look like ones for the
// hub's endpoints and that nothing serves, nil for any other. No pattern is
// registered for them: the program may have its own.
func (s *Server) refuses(r *http.Request) *statusError {
	var no *statusError
	switch {
	case r.URL.Path == "/ws" && r.Method != http.MethodGet && r.Method != http.MethodHead:
		no = &statusError{http.StatusMethodNotAllowed, hub.NewError(hub.CodeFormat, "method must be GET: a websocket handshake")}
	case strings.HasPrefix(r.URL.Path, api.Prefix):
		no = &statusError{http.StatusNotFound, hub.NewError(hub.CodeFormat, "the admin API is not served here: it is off, or has an address of its own")}
	default:
		return nil
	}
	if _, pattern := s.main.Handler(r); pattern != "" {
		return nil
	}
	return no
}

func (s *Server) probes(mux *http.ServeMux) {
	mux.HandleFunc("GET /health", s.serveHealth)
	mux.HandleFunc("GET /readyz", s.serveReady)
}

// health is the answer of /health.
type health struct {
	Status  string            `json:"status"` // "ok" or "degraded"
	Node    string            `json:"node"`
	Version string            `json:"version"`
	Uptime  int64             `json:"uptime_seconds"`
	Checks  map[string]string `json:"checks"` // what the hub depends on
}

// serveHealth tells that the process is alive, always with 200, and how what
// it depends on is doing.
func (s *Server) serveHealth(w http.ResponseWriter, _ *http.Request) {
	h := health{
		Status: "ok", Node: s.hub.Node(), Version: Version(), Uptime: int64(s.hub.Uptime().Seconds()),
		Checks: map[string]string{"bus": s.busState()},
	}
	if c := s.hub.Cluster(); c != nil {
		h.Checks["cluster"] = "ok"
		if h.Checks["bus"] == busAway {
			h.Status = "degraded"
		}
		if !c.Ready() {
			h.Checks["cluster"] = "looking for the other hubs"
			h.Status = "degraded"
		}
	}
	if s.verifier != nil {
		h.Checks["auth"] = "ok"
		if s.verifier.Ready() != nil {
			h.Checks["auth"] = "no verification keys yet"
			h.Status = "degraded"
		}
	}
	writeJSON(w, http.StatusOK, h)
}

// The states of the bus.
const (
	busOK   = "ok"
	busAway = "away"
	busNone = "noop" // a hub alone
)

// busState tells how the bus is.
func (s *Server) busState() string {
	c := s.hub.Cluster()
	if c == nil {
		return busNone
	}
	if _, degraded := c.Degraded(); degraded {
		return busAway
	}
	return busOK
}

// serveReady tells whether new connections should come here.
func (s *Server) serveReady(w http.ResponseWriter, _ *http.Request) {
	if s.hub.Draining() {
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "draining"})
		return
	}
	if c := s.hub.Cluster(); c != nil {
		since, degraded := c.Degraded()
		switch {
		case !c.Ready():
			writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "starting"})
			return
		case degraded && time.Since(since) > outageGrace:
			writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "bus away"})
			return
		}
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the peer may be gone
}
