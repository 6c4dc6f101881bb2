package alerts

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/server"
)

// targetLabels are those that a scrape adds, and that of buckets.
var targetLabels = []string{"namespace", "job", "pod", "le"}

// operatorMetrics are those of the operator and of controller-runtime that alerts
// and dashboard may use, with their labels.
func operatorMetrics() map[string][]string {
	return map[string][]string{
		"gohub_operator_cluster_ready":                 {"namespace", "name"},
		"gohub_operator_cluster_hubs_ready":            {"namespace", "name"},
		"gohub_operator_cluster_hubs_desired":          {"namespace", "name"},
		"gohub_operator_applied_objects_total":         {"kind"},
		"controller_runtime_reconcile_total":           {"controller", "result"},
		"controller_runtime_reconcile_errors_total":    {"controller"},
		"controller_runtime_reconcile_time_seconds":    {"controller"},
		"controller_runtime_max_concurrent_reconciles": {"controller"},
		"rest_client_requests_total":                   {"code", "method", "host"},
	}
}

// descriptions is a Registerer that notes what a real server registers: a metric
// with labels is on no page of metrics before it has counted something.
type descriptions map[string][]string

var desc = regexp.MustCompile(`^Desc\{fqName: "([^"]*)".*variableLabels: \{(.*)\}\}$`)

func (d descriptions) Register(c prometheus.Collector) error {
	found := make(chan *prometheus.Desc)
	go func() {
		defer close(found)
		c.Describe(found)
	}()
	for f := range found {
		if m := desc.FindStringSubmatch(f.String()); m != nil {
			d[m[1]] = strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' })
		}
	}
	return nil
}

func (d descriptions) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		_ = d.Register(c) // it never fails
	}
}

func (d descriptions) Unregister(prometheus.Collector) bool { return true }

func TestMetricsExist(t *testing.T) {
	known := descriptions{}
	if _, err := server.NewServer(hubtest.Options(&server.Options{Registerer: known})); err != nil {
		t.Fatal(err)
	}
	if len(known) < 20 || !slices.Equal(known["gohub_closes_total"], []string{"code"}) {
		t.Fatalf("the server registers %v", known)
	}
	maps.Copy(known, operatorMetrics())
	queries := readDashboard(t)
	for _, alert := range readAlerts(t) {
		queries = append(queries, query{alert.Alert, alert.Expr})
	}
	for _, q := range queries {
		for _, problem := range problems(q.expr, known) {
			t.Errorf("%s: %s", q.name, problem)
		}
	}
}

// problems are the metrics of an expression that do not exist, and labels that
// they do not have.
func problems(text string, known map[string][]string) []string {
	expr, err := promQL().ParseExpr(text)
	if err != nil {
		return []string{err.Error()}
	}
	var found []string
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		labels, ok := known[selector.Name]
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base, cut := strings.CutSuffix(selector.Name, suffix); cut && !ok {
				labels, ok = known[base]
			}
		}
		if !ok {
			found = append(found, "no metric "+selector.Name)
		}
		has := append(slices.Clone(labels), targetLabels...)
		used := []string{}
		for _, m := range selector.LabelMatchers {
			if m.Name != "__name__" {
				used = append(used, m.Name)
			}
		}
		for _, above := range path {
			if a, ok := above.(*parser.AggregateExpr); ok {
				used = append(used, a.Grouping...)
			}
		}
		for _, label := range used {
			if !slices.Contains(has, label) {
				found = append(found, selector.Name+" has no label "+label)
			}
		}
		return nil
	})
	return found
}

func TestProblemsAreFound(t *testing.T) {
	known := map[string][]string{"a_total": {"code"}, "b_seconds": nil}
	for expr, want := range map[string]string{
		`sum by (code) (rate(a_total{job="x"}[5m]))`:        "",
		`histogram_quantile(0.9, b_seconds_bucket)`:         "",
		`sum(rate(c_total[5m]))`:                            "no metric c_total",
		`rate(a_total{reason="x"}[5m])`:                     "a_total has no label reason",
		`sum by (reason, job) (max_over_time(a_total[5m]))`: "a_total has no label reason",
	} {
		if got := strings.Join(problems(expr, known), "; "); got != want {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
	if len(problems(`sum by (`, known)) != 1 {
		t.Error("a broken expression has no problem")
	}
}
