package server

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	corehub "github.com/chenxilol/gohub/internal/hub"
)

// metrics is where a server's metrics are registered and served from.
type metrics struct {
	registerer prometheus.Registerer
	mine       []prometheus.Collector
	handler    http.Handler // nil: the user's registerer cannot be read
}

// newServerMetrics registers the hub's metrics with r or, where that is nil,
// with a registry of its own together with those of Go and the process.
func newServerMetrics(r prometheus.Registerer, h *corehub.Hub) (*metrics, error) {
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "gohub_build_info", Help: "1, with the version of the hub and of Go.",
		ConstLabels: prometheus.Labels{"version": Version(), "goversion": runtime.Version()},
	})
	build.Set(1)
	m := &metrics{registerer: r}
	wanted := []prometheus.Collector{h.Metrics(), build}
	if r == nil {
		m.registerer = prometheus.NewRegistry()
		wanted = append(wanted, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	}
	for _, c := range wanted {
		if err := m.registerer.Register(c); err != nil {
			m.close()
			if errors.As(err, &prometheus.AlreadyRegisteredError{}) {
				return nil, fmt.Errorf("register metrics: another server uses this Registerer; wrap it with a label of its own (prometheus.WrapRegistererWith): %w", err)
			}
			return nil, fmt.Errorf("register metrics: %w", err)
		}
		m.mine = append(m.mine, c)
	}
	if g, ok := m.registerer.(prometheus.Gatherer); ok {
		m.handler = promhttp.HandlerFor(g, promhttp.HandlerOpts{})
	}
	return m, nil
}

// close takes the metrics out again, so that another server can register its.
func (m *metrics) close() {
	for _, c := range m.mine {
		m.registerer.Unregister(c)
	}
	m.mine = nil
}
