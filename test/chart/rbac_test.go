package chart

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// manifests is the golden list of what the operator may do: the same objects as
// those of the chart, for those without Helm.
const manifests = "../../config/rbac/operator.yaml"

// isAccess tells the objects that say who may do what, the account they are about,
// and the lease that the operator may not make.
func isAccess(o *unstructured.Unstructured) bool {
	return o.GroupVersionKind().Group == rbacv1.GroupName || o.GetKind() == "ServiceAccount" || o.GetKind() == "Lease"
}

// TestRBACIsAsListed compares the chart's roles with config/rbac; with -update
// it writes that.
func TestRBACIsAsListed(t *testing.T) {
	var got bytes.Buffer
	fmt.Fprintf(&got, "# What the operator may do, in every namespace, when it runs in %s; see the chart\n"+
		"# for one that is confined to some. test/chart holds the chart to this list:\n"+
		"# go test ./test/chart -update\n", namespace)
	for _, o := range render(t, "") {
		if !isAccess(o) || o.GetAnnotations()["helm.sh/hook"] != "" {
			continue
		}
		labels := o.GetLabels()
		for _, mine := range []string{"helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/version", "app.kubernetes.io/instance"} {
			delete(labels, mine)
		}
		o.SetLabels(labels)
		data, err := yaml.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		got.WriteString("---\n")
		got.Write(data)
	}
	if *update {
		if err := os.MkdirAll(filepath.Dir(manifests), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(manifests, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(manifests)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the chart's roles are not those of %s; look at the change, then: go test ./test/chart -update\n%s", manifests, got.Bytes())
	}
}

// permissions returns one line for each verb on each resource.
func permissions(t *testing.T, rules []rbacv1.PolicyRule) []string {
	t.Helper()
	var all []string
	for _, r := range rules {
		for _, verb := range r.Verbs {
			for _, group := range r.APIGroups {
				for _, resource := range r.Resources {
					all = append(all, fmt.Sprintf("%s %s.%s %v", verb, resource, group, r.ResourceNames))
				}
			}
			for _, url := range r.NonResourceURLs {
				all = append(all, verb+" "+url)
			}
		}
	}
	slices.Sort(all)
	return all
}

// granted returns what an account may do by the bindings of the objects: in a
// namespace, or with "" in all of them and beyond.
func granted(t *testing.T, all []*unstructured.Unstructured, account, in string) []string {
	t.Helper()
	var found []string
	for _, o := range all {
		if o.GetNamespace() != in {
			continue
		}
		var role rbacv1.RoleRef
		var subjects []rbacv1.Subject
		switch o := typed(t, o).(type) {
		case *rbacv1.RoleBinding:
			role, subjects = o.RoleRef, o.Subjects
		case *rbacv1.ClusterRoleBinding:
			role, subjects = o.RoleRef, o.Subjects
		default:
			continue
		}
		if len(subjects) != 1 || subjects[0].Name != account || subjects[0].Namespace != namespace {
			continue
		}
		for _, r := range all {
			if r.GetKind() != role.Kind || r.GetName() != role.Name || r.GetNamespace() != in {
				continue
			}
			switch r := typed(t, r).(type) {
			case *rbacv1.Role:
				found = append(found, permissions(t, r.Rules)...)
			case *rbacv1.ClusterRole:
				found = append(found, permissions(t, r.Rules)...)
			}
		}
	}
	slices.Sort(found)
	return found
}

// listed is what config/rbac grants.
func listed(t *testing.T, in string) []string {
	t.Helper()
	data, err := os.ReadFile(manifests)
	if err != nil {
		t.Fatal(err)
	}
	return granted(t, parse(t, data), "gohub-operator", in)
}

// without returns the lines of a that are not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(line string) bool { return slices.Contains(b, line) })
}

// TestNamespaceMode: in the watched namespaces the operator may do what it may do
// everywhere by default, and outside of them nothing but what no namespace holds.
func TestNamespaceMode(t *testing.T) {
	all := render(t, scenarios()["namespace mode"].values)
	wide := granted(t, all, "gohub-operator", "")
	own := granted(t, all, "gohub-operator", namespace)
	if want := listed(t, namespace); !slices.Equal(own, want) || len(own) == 0 {
		t.Errorf("in its own namespace: %v, want %v", own, want)
	}
	want := without(listed(t, ""), wide)
	for _, watched := range []string{"chat", "games"} {
		if got := granted(t, all, "gohub-operator", watched); !slices.Equal(got, want) {
			t.Errorf("in namespace %s: too much %v, too little %v", watched, without(got, want), without(want, got))
		}
	}
	if len(want) < 50 || !slices.Contains(want, "get secrets. []") {
		t.Errorf("the list is short: %v", want)
	}
	for _, line := range wide {
		if !strings.Contains(line, "customresourcedefinitions.apiextensions.k8s.io [httproutes.gateway.networking.k8s.io servicemonitors.monitoring.coreos.com]") &&
			line != "create tokenreviews.authentication.k8s.io []" && line != "create subjectaccessreviews.authorization.k8s.io []" {
			t.Errorf("cluster-wide in namespace mode: %s", line)
		}
	}
	if got := granted(t, render(t, "rbac: {scope: namespace}\nmetrics: {auth: false}"), "gohub-operator", ""); len(got) != 3 {
		t.Errorf("cluster-wide without authentication of metrics: %v", got)
	}
}

// TestNothingIsAWildcard, nor more than anybody needs.
func TestNothingIsAWildcard(t *testing.T) {
	for name, s := range scenarios() {
		for _, o := range render(t, s.values, s.flags...) {
			var rules []rbacv1.PolicyRule
			switch o := typed(t, o).(type) {
			case *rbacv1.Role:
				rules = o.Rules
			case *rbacv1.ClusterRole:
				rules = o.Rules
			}
			for _, line := range permissions(t, rules) {
				for _, no := range []string{"*", "escalate", "bind ", "impersonate", "exec", "nodes", "roles", "rolebindings", "serviceaccounts/token"} {
					if strings.Contains(line, no) {
						t.Errorf("%s: %s %s: %s", name, o.GetKind(), o.GetName(), line)
					}
				}
			}
			if name == "nothing optional" && isAccess(o) && o.GetKind() != "Lease" {
				t.Errorf("%s: %s %s", name, o.GetKind(), o.GetName())
			}
		}
	}
}

// TestCRDHookMayOnlyTouchItsOwn: the account of the Job is not the operator's.
func TestCRDHookMayOnlyTouchItsOwn(t *testing.T) {
	got := granted(t, render(t, ""), "gohub-operator-crds", "")
	want := []string{
		"create customresourcedefinitions.apiextensions.k8s.io []",
		"get customresourcedefinitions.apiextensions.k8s.io [gohubclusters.gohub.io]",
		"patch customresourcedefinitions.apiextensions.k8s.io [gohubclusters.gohub.io]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestPeopleMaySeeAndEdit: the roles that are added to view, edit and admin.
func TestPeopleMaySeeAndEdit(t *testing.T) {
	all := render(t, "")
	view, edit := find[*rbacv1.ClusterRole](t, all, "ClusterRole", "-view"), find[*rbacv1.ClusterRole](t, all, "ClusterRole", "-edit")
	for role, into := range map[*rbacv1.ClusterRole]string{view: "view edit admin", edit: "edit admin"} {
		for _, of := range []string{"view", "edit", "admin"} {
			if got := role.Labels["rbac.authorization.k8s.io/aggregate-to-"+of] == "true"; got != strings.Contains(into, of) {
				t.Errorf("%s is added to %s: %v", role.Name, of, got)
			}
		}
	}
	for _, line := range permissions(t, view.Rules) {
		if verb, _, _ := strings.Cut(line, " "); verb != "get" && verb != "list" && verb != "watch" {
			t.Errorf("viewers may %s", line)
		}
	}
	if !slices.Contains(permissions(t, edit.Rules), "patch gohubclusters/scale.gohub.io []") {
		t.Error("editors may not scale")
	}
	for _, o := range render(t, "rbac: {aggregate: false}") {
		if strings.HasSuffix(o.GetName(), "-view") || strings.HasSuffix(o.GetName(), "-edit") {
			t.Errorf("%s %s is there though it is off", o.GetKind(), o.GetName())
		}
	}
}
