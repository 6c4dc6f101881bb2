package alerts

import (
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

const (
	alertsFile    = "../../charts/gohub/files/alerts.yaml"
	dashboardFile = "../../charts/gohub/files/dashboard.json"
	runbooksFile  = "../../docs/runbooks.md"
)

func promQL() parser.Parser { return parser.NewParser(parser.Options{}) }

// readAlerts returns the alerts, as Prometheus loads them.
func readAlerts(t *testing.T) []rulefmt.Rule {
	t.Helper()
	data, err := os.ReadFile(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	groups, errs := rulefmt.Parse(data, false, model.LegacyValidation, promQL(), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	if groups == nil {
		t.FailNow()
	}
	var alerts []rulefmt.Rule
	for _, g := range groups.Groups {
		alerts = append(alerts, g.Rules...)
	}
	if len(alerts) < 10 {
		t.Fatalf("%d alerts found", len(alerts))
	}
	return alerts
}

// query is one of PromQL, and where it is from.
type query struct{ name, expr string }

// readDashboard returns the queries of the panels and of the variables, with a
// value for each variable.
func readDashboard(t *testing.T) []query {
	t.Helper()
	data, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Templating struct {
			List []struct{ Name, Definition string }
		}
		Panels []struct {
			ID                       int
			Type, Title, Description string
			Targets                  []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(data, &dashboard); err != nil {
		t.Fatal(err)
	}
	values := strings.NewReplacer("$__rate_interval", "5m", "$namespace", ".*", "$job", ".*")
	var all []query
	for _, v := range dashboard.Templating.List {
		if _, inner, ok := strings.Cut(v.Definition, "label_values("); ok {
			selector, label, _ := cutLast(strings.TrimSuffix(inner, ")"), ", ")
			all = append(all, query{"variable " + v.Name, "count by (" + label + ") (" + values.Replace(selector) + ")"})
		}
	}
	ids := map[int]bool{}
	for _, p := range dashboard.Panels {
		if ids[p.ID] {
			t.Errorf("panel %q: its id %d is another's, too", p.Title, p.ID)
		}
		ids[p.ID] = true
		if p.Type != "row" && (p.Description == "" || len(p.Targets) == 0) {
			t.Errorf("panel %q has no description or no query", p.Title)
		}
		for _, target := range p.Targets {
			all = append(all, query{"panel " + p.Title, values.Replace(target.Expr)})
		}
	}
	if len(all) < 20 {
		t.Fatalf("%d queries found", len(all))
	}
	return all
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// TestRunbooks: each alert has a runbook that says all that a person who is woken
// needs, and each runbook an alert.
func TestRunbooks(t *testing.T) {
	page, err := os.ReadFile(runbooksFile)
	if err != nil {
		t.Fatal(err)
	}
	runbooks := map[string]string{}
	for _, section := range strings.Split(string(page), "\n## ")[1:] {
		title, text, _ := strings.Cut(section, "\n")
		runbooks[title] = text
	}
	for _, alert := range readAlerts(t) {
		text, ok := runbooks[alert.Alert]
		if !ok {
			t.Errorf("%s has no runbook", alert.Alert)
			continue
		}
		delete(runbooks, alert.Alert)
		for _, part := range []string{"**Means:** ", "**Users see:** ", "**Cause:** ", "**Mend:** "} {
			if !strings.Contains(text, "\n"+part) {
				t.Errorf("the runbook of %s has no %q", alert.Alert, part)
			}
		}
		for _, key := range []string{"summary", "description"} {
			if alert.Annotations[key] == "" {
				t.Errorf("%s has no %s", alert.Alert, key)
			}
		}
		if severity := alert.Labels["severity"]; severity != "warning" && severity != "critical" {
			t.Errorf("%s has severity %q", alert.Alert, severity)
		}
	}
	for title := range runbooks {
		if strings.HasPrefix(title, "GoHub") {
			t.Errorf("runbook %s has no alert", title)
		}
	}
}
