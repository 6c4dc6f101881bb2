package controllers

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

// scrapeTimeout bounds a look into the cache, which never takes long.
const scrapeTimeout = 5 * time.Second

// metrics are those of the operator beside controller-runtime's own.
type metrics struct {
	applied *prometheus.CounterVec // by kind
	failed  *prometheus.CounterVec // by call
}

// newMetrics registers the metrics; those of clusters are read from reader as they
// are asked for.
func newMetrics(registry prometheus.Registerer, reader client.Reader) (*metrics, error) {
	m := &metrics{
		applied: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gohub_operator_applied_objects_total", Help: "Objects that were not as they were wanted, and were applied.",
		}, []string{"kind"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gohub_operator_hub_calls_failed_total", Help: "Drains and undrains that hubs did not take.",
		}, []string{"call"}),
	}
	for _, c := range []prometheus.Collector{m.applied, m.failed, newClusterCollector(reader)} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("register the metrics: %w", err)
		}
	}
	return m, nil
}

// clusterCollector tells how the clusters are, by their status.
type clusterCollector struct {
	reader client.Reader
	gauges []clusterGauge
}

// clusterGauge is one figure of a cluster; ok is false where it is not known.
type clusterGauge struct {
	desc  *prometheus.Desc
	value func(v1alpha1.GoHubClusterStatus) (v float64, ok bool)
}

func newClusterCollector(reader client.Reader) *clusterCollector {
	c := &clusterCollector{reader: reader}
	gauge := func(name, help string, value func(v1alpha1.GoHubClusterStatus) (float64, bool)) {
		desc := prometheus.NewDesc("gohub_operator_cluster_"+name, help, []string{"namespace", "name"}, nil)
		c.gauges = append(c.gauges, clusterGauge{desc, value})
	}
	count := func(n int32) (float64, bool) { return float64(n), true }
	known := func(n *int64) (float64, bool) {
		if n == nil {
			return 0, false
		}
		return float64(*n), true
	}
	gauge("ready", "1 while the condition Ready is True.", func(s v1alpha1.GoHubClusterStatus) (float64, bool) {
		if meta.IsStatusConditionTrue(s.Conditions, string(v1alpha1.ConditionReady)) {
			return 1, true
		}
		return 0, true
	})
	gauge("hubs", "Hub pods there are.", func(s v1alpha1.GoHubClusterStatus) (float64, bool) { return count(s.Replicas) })
	gauge("hubs_ready", "Hubs that take clients.", func(s v1alpha1.GoHubClusterStatus) (float64, bool) { return count(s.ReadyReplicas) })
	gauge("hubs_desired", "Hubs that are wanted.", func(s v1alpha1.GoHubClusterStatus) (float64, bool) { return count(s.DesiredReplicas) })
	gauge("hubs_draining", "Hubs that are drained because fewer are wanted.", func(s v1alpha1.GoHubClusterStatus) (float64, bool) {
		return count(s.DrainingReplicas)
	})
	gauge("connections", "Connections of all hubs that answered.", func(s v1alpha1.GoHubClusterStatus) (float64, bool) {
		return known(s.Connections)
	})
	gauge("capacity", "Connections that all hubs that answered accept.", func(s v1alpha1.GoHubClusterStatus) (float64, bool) {
		return known(s.Capacity)
	})
	return c
}

// Describe implements prometheus.Collector.
func (c *clusterCollector) Describe(out chan<- *prometheus.Desc) {
	for _, g := range c.gauges {
		out <- g.desc
	}
}

// Collect implements prometheus.Collector.
func (c *clusterCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	list := &v1alpha1.GoHubClusterList{}
	if err := c.reader.List(ctx, list); err != nil {
		return // the cache has not started: there is nothing to tell yet
	}
	for i := range list.Items {
		x := &list.Items[i]
		for _, g := range c.gauges {
			if v, ok := g.value(x.Status); ok {
				out <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, v, x.Namespace, x.Name)
			}
		}
	}
}
