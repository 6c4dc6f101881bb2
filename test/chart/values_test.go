package chart

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"
)

// value is one of the chart's values: a key below which there are none.
type value struct{ path, text, def string }

// readValues returns the values of values.yaml in their order.
func readValues(t *testing.T) []value {
	t.Helper()
	data, err := os.ReadFile(chartDir + "/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		t.Fatal(err)
	}
	// Maps that the chart passes on as a whole.
	whole := []string{"resources", "dashboard.labels"}
	var all []value
	var walk func(node *yaml.Node, path string)
	walk = func(node *yaml.Node, path string) {
		for i := 0; i < len(node.Content); i += 2 {
			key, child := node.Content[i], node.Content[i+1]
			at := strings.TrimPrefix(path+"."+key.Value, ".")
			if child.Kind == yaml.MappingNode && len(child.Content) > 0 && !slices.Contains(whole, at) {
				walk(child, at)
				continue
			}
			// The comment of a group is above its first key.
			lines := strings.Split(key.HeadComment, "\n\n")
			text := strings.ReplaceAll(lines[len(lines)-1], "\n# ", " ")
			all = append(all, value{path: at, text: strings.TrimPrefix(text, "# "), def: inline(t, child)})
		}
	}
	walk(document.Content[0], "")
	return all
}

// inline writes a default in one line.
func inline(t *testing.T, node *yaml.Node) string {
	t.Helper()
	if node.Kind == yaml.ScalarNode && node.Value != "" {
		return node.Value
	}
	var v any
	if err := node.Decode(&v); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestReadmeHasEveryValue compares the table in the chart's README.md with the
// comments of values.yaml; with -update it writes it.
func TestReadmeHasEveryValue(t *testing.T) {
	const begin, end = "-update -->\n", "<!-- end -->"
	file := chartDir + "/README.md"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), begin)
	old, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no place for the table", file)
	}
	var table strings.Builder
	table.WriteString("| value | default | |\n|---|---|---|\n")
	for _, v := range readValues(t) {
		if !strings.HasSuffix(v.text, ".") || strings.Contains(v.text, "|") {
			t.Errorf("the comment of %s is not a sentence, or cannot be in a table: %q", v.path, v.text)
		}
		fmt.Fprintf(&table, "| `%s` | `%s` | %s |\n", v.path, v.def, strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(v.text))
	}
	if *update {
		if err := os.WriteFile(file, []byte(head+begin+table.String()+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if old != table.String() {
		t.Errorf("the table of %s is not up to date: go test ./test/chart -update", file)
	}
}

// TestSchemaHasEveryValue: values.schema.json knows the values of values.yaml and
// no others, and no object of it takes what it does not know, but for those that
// are passed on.
func TestSchemaHasEveryValue(t *testing.T) {
	data, err := os.ReadFile(chartDir + "/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	type node struct {
		Ref                  string `json:"$ref"`
		Type                 string
		Properties           map[string]*node
		AdditionalProperties json.RawMessage
		Items                *node
		Definitions          map[string]*node
	}
	var root node
	if err := json.Unmarshal(data, &root); err != nil {
		t.Fatal(err)
	}
	// Objects of Kubernetes, which the API server checks, and what a chart above
	// this one shares.
	passedOn := []string{
		"global", "cluster.spec", "metrics.serviceMonitor.tlsConfig", "tolerations", "topologySpreadConstraints", "networkPolicy.metricsFrom",
		"resources.requests", "resources.limits", "resources.claims", "affinity.nodeAffinity", "affinity.podAffinity", "affinity.podAntiAffinity",
	}
	var paths []string
	var walk func(n *node, path string)
	walk = func(n *node, path string) {
		if n.Ref != "" {
			n = root.Definitions[strings.TrimPrefix(n.Ref, "#/definitions/")]
		}
		paths = append(paths, path)
		open := n.Type == "object" && len(n.AdditionalProperties) == 0 || string(n.AdditionalProperties) == "true"
		if n.Items != nil {
			open = n.Items.Type == "object" && string(n.Items.AdditionalProperties) != "false"
		}
		if open != slices.Contains(passedOn, path) {
			t.Errorf("%q takes unknown keys: %v", path, open)
		}
		for _, name := range slices.Sorted(maps.Keys(n.Properties)) {
			walk(n.Properties[name], strings.TrimPrefix(path+"."+name, "."))
		}
	}
	walk(&root, "")

	data, err = os.ReadFile(chartDir + "/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := sigsyaml.Unmarshal(data, &values); err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if path == "" || path == "global" || strings.HasPrefix(path, "resources.") || strings.HasPrefix(path, "affinity.") {
			continue
		}
		var at any = values
		for _, key := range strings.Split(path, ".") {
			level, _ := at.(map[string]any)
			if at = level[key]; at == nil {
				t.Errorf("values.yaml has no %s", path)
				break
			}
		}
	}
}

// TestScenariosTouchEveryValue: between them the other tests change every value
// there is.
func TestScenariosTouchEveryValue(t *testing.T) {
	changed := map[string]bool{}
	var walk func(v any, path string)
	walk = func(v any, path string) {
		changed[path] = true
		level, _ := v.(map[string]any)
		for key, below := range level {
			walk(below, strings.TrimPrefix(path+"."+key, "."))
		}
	}
	for _, s := range scenarios() {
		var values map[string]any
		if err := sigsyaml.Unmarshal([]byte(s.values), &values); err != nil {
			t.Fatal(err)
		}
		walk(values, "")
	}
	for _, v := range readValues(t) {
		if !changed[v.path] {
			t.Errorf("no test changes %s", v.path)
		}
	}
}
