package controllers_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/api/v1alpha1/apitest"
	"github.com/chenxilol/gohub/controllers"
	"github.com/chenxilol/gohub/controllers/resources"
)

// faults makes some requests fail, in the ways that they do: before they arrive,
// after they were done, or with an answer.
type faults struct {
	mu   sync.Mutex // guards all
	r    *rand.Rand
	left int // how many more fail
	done int
}

var errFault = errors.New("connection lost, for a test")

func (f *faults) roundTrip(q *http.Request, next http.RoundTripper) (*http.Response, error) {
	f.mu.Lock()
	kind := -1
	if f.left > 0 && q.URL.Query().Get("watch") == "" && f.r.IntN(6) == 0 {
		kind = f.r.IntN(4)
		f.left--
		f.done++
	}
	f.mu.Unlock()
	switch kind {
	case 0:
		return nil, errFault
	case 1:
		resp, err := next.RoundTrip(q)
		if err != nil {
			return nil, err
		}
		resp.Body.Close()
		return nil, errFault
	case 2:
		return answer(q, http.StatusInternalServerError, "InternalError"), nil
	case 3:
		return answer(q, http.StatusConflict, "Conflict"), nil
	}
	return next.RoundTrip(q)
}

func answer(q *http.Request, code int, reason string) *http.Response {
	body := fmt.Sprintf(`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "for a test", "reason": %q, "code": %d}`, reason, code)
	return &http.Response{
		StatusCode: code, Status: http.StatusText(code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: q,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
	}
}

func (f *faults) allow(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = n
}

// A walk of random changes, with requests that fail, leads each time to what a
// fresh apply gives.
func TestRandomWalk(t *testing.T) {
	steps := 1000
	if testing.Short() {
		steps = 50
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	o := startOperator(t)
	o.kubelet.breakPods(everyPod)
	o.installCRDs()
	fresh := o.makeNamespace(t) // in which nothing is ever stored
	injected := &faults{r: rand.New(rand.NewPCG(seed, 1))}
	do := injected.roundTrip
	o.requests.via.Store(&do)
	specs := fullSpecs(t)
	for i, spec := range specs {
		w := &walk{operator: o, r: r, base: spec, fresh: fresh, toggled: map[string]bool{}}
		w.begin(fmt.Sprintf("walk-%d", i))
		for range steps / len(specs) {
			injected.allow(r.IntN(4))
			w.step()
			injected.allow(0)
			w.converged()
		}
		if err := o.client.Delete(t.Context(), w.c); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d steps, %d requests failed", steps/len(specs)*len(specs), injected.done)
}

// walk is that of one cluster.
type walk struct {
	*operator
	r       *rand.Rand
	base    v1alpha1.GoHubClusterSpec
	fresh   string
	c       *v1alpha1.GoHubCluster
	toggled map[string]bool // fields that do not have the value of base

	// What a fresh apply gives, and of what; it is asked for once.
	wantOf string
	want   map[string]*unstructured.Unstructured
}

func (w *walk) begin(name string) {
	w.t.Helper()
	w.c = &v1alpha1.GoHubCluster{Spec: w.base}
	w.c.Name, w.c.Namespace = name, w.namespace
	w.prepareSecrets(w.c)
	w.createCluster(w.c)
	w.base = *w.c.Spec.DeepCopy() // with defaults
	w.converged()
}

// step makes one change that the API server takes.
func (w *walk) step() {
	w.t.Helper()
	fields := slices.DeleteFunc(apitest.SetFields(&w.base), func(path string) bool {
		return path == "paused" || strings.HasSuffix(path, "storage.size") // volumes do not shrink again
	})
	for {
		next := maps.Clone(w.toggled)
		for range 1 + w.r.IntN(3) {
			path := fields[w.r.IntN(len(fields))]
			next[path] = !next[path]
		}
		changed := w.c.DeepCopy()
		changed.Spec = *w.base.DeepCopy()
		for path, is := range next {
			if is {
				apitest.Change(&changed.Spec, path)
			}
		}
		w.prepareSecrets(changed)
		err := w.replaceSpec(changed, changed.Spec)
		if apierrors.IsInvalid(err) {
			continue
		}
		if err != nil {
			w.t.Fatal(err)
		}
		w.c, w.toggled = changed, next
		return
	}
}

// converged waits until there is what a fresh apply gives.
func (w *walk) converged() {
	w.t.Helper()
	eventually(w.t, fmt.Sprintf("%s converges with %v", w.c.Name, w.toggled), func() error {
		w.get(w.c)
		if w.c.Status.ObservedGeneration != w.c.Generation {
			return errStillNot
		}
		want, err := w.wanted()
		if err != nil { // the spec cannot be used: what there was stays
			if meta.IsStatusConditionTrue(w.c.Status.Conditions, string(v1alpha1.ConditionConfigValid)) {
				return fmt.Errorf("%w: valid, though %w", errStillNot, err)
			}
			return nil
		}
		have := w.childrenOf(w.c)
		if a, b := slices.Sorted(maps.Keys(have)), slices.Sorted(maps.Keys(want)); !slices.Equal(a, b) {
			return fmt.Errorf("%w: there are %v, want %v", errStillNot, a, b)
		}
		const chosen = `"nodePort":` // by Kubernetes
		a, b := withoutLines(content(w.t, w.c.Name, have), chosen), withoutLines(content(w.t, w.c.Name, want), chosen)
		if a != b {
			return fmt.Errorf("%w: %s", errStillNot, firstDifference(a, b))
		}
		return nil
	})
}

func firstDifference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return fmt.Sprintf("line %d is\n%s\nwant\n%s", i, strings.Join(as[max(0, i-20):i+1], "\n"), bs[i])
		}
	}
	return "one is longer"
}

// wanted is what a fresh apply gives: one that is not stored, in a namespace where
// there is nothing.
func (w *walk) wanted() (map[string]*unstructured.Unstructured, error) {
	facts := resources.Facts{
		Images: images, Operator: operatorPods, Replicas: w.c.Status.DesiredReplicas,
		Secrets: map[string]map[string][]byte{}, HTTPRoutes: true, ServiceMonitors: true,
	}
	for _, name := range resources.SecretNames(w.c) {
		s := secret(w.namespace, name, nil)
		if err := w.client.Get(w.t.Context(), client.ObjectKeyFromObject(s), s); err == nil {
			facts.Secrets[name] = s.Data
		}
	}
	objects, err := resources.Build(w.c, facts)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(objects)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.wantOf == string(text) {
		return w.want, nil
	}
	all := map[string]*unstructured.Unstructured{}
	for _, object := range objects.All() {
		data, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			w.t.Fatal(err)
		}
		u := &unstructured.Unstructured{Object: data}
		u.SetNamespace(w.fresh)
		name := u.GetKind() + "/" + u.GetName()
		if ports, ok, _ := unstructured.NestedSlice(u.Object, "spec", "ports"); ok && u.GetKind() == "Service" {
			for _, port := range ports { // one of a node can be taken once only
				delete(port.(map[string]any), "nodePort")
			}
			if err := unstructured.SetNestedSlice(u.Object, ports, "spec", "ports"); err != nil {
				w.t.Fatal(err)
			}
		}
		for _, g := range resources.GeneratedSecrets(w.c) {
			if u.GetKind() == "Secret" && u.GetName() == g.Name {
				u.Object["type"], u.Object["data"] = "Opaque", encoded(facts.Secrets[g.Name])
			}
		}
		err = w.client.Apply(w.t.Context(), client.ApplyConfigurationFromUnstructured(u),
			client.FieldOwner(controllers.Manager), client.ForceOwnership, client.DryRunAll)
		if err != nil {
			w.t.Fatalf("%s: %v", name, err)
		}
		all[name] = u
	}
	w.wantOf, w.want = string(text), all
	return all, nil
}

func encoded(data map[string][]byte) map[string]any {
	all := map[string]any{}
	for key, value := range data {
		all[key] = base64.StdEncoding.EncodeToString(value)
	}
	return all
}
