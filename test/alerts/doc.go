// Package alerts tests the chart's alerts and dashboard with the code of
// Prometheus. It is a module of its own, so that nobody else depends on that.
package alerts
