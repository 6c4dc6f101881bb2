package controllers_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/controllers/resources"
	"github.com/chenxilol/gohub/pkg/api"
)

// BenchmarkHundredClusters runs the operator's program on a hundred clusters of two
// hubs each, whose connections change all the time, and says for a minute of it what
// it costs. It wants the port of the hubs' admin API on 127.0.0.1.
func BenchmarkHundredClusters(b *testing.B) {
	const clusters = 100
	k := needAPIServer(b)
	o := &operator{apiServer: k, t: b, namespace: k.makeNamespace(b), hubs: newFleet()}
	o.kubelet = startKubelet(b, k, o.namespace, o.hubs)
	o.kubelet.address = "127.0.0.1"
	serveStats(b)
	program, metrics := startProgram(b, k, o.namespace)
	begin := time.Now()
	var all []*v1alpha1.GoHubCluster
	for i := range clusters {
		all = append(all, o.createNamed(fmt.Sprintf("c%d", i), "{replicas: 2, bus: {nats: {managed: {replicas: 1}}}}"))
	}
	for _, c := range all {
		eventually(b, c.Name+" is ready", func() error {
			o.get(c)
			if !meta.IsStatusConditionTrue(c.Status.Conditions, string(v1alpha1.ConditionReady)) {
				return errStillNot
			}
			return nil
		})
	}
	b.ReportMetric(time.Since(begin).Seconds(), "s-to-ready")
	time.Sleep(5 * time.Second)
	before := scrape(b, metrics)
	time.Sleep(time.Minute)
	after := scrape(b, metrics)
	b.ReportMetric(float64(memory(b, program, "RssAnon"))/(1<<20), "MiB-own")
	b.ReportMetric(float64(memory(b, program, "VmRSS"))/(1<<20), "MiB-with-code")
	const reconcile = "controller_runtime_reconcile_time_seconds"
	b.ReportMetric(quantile(before[reconcile], after[reconcile], 0.99)*1000, "ms-p99")
	b.ReportMetric(count(after[reconcile])-count(before[reconcile]), "reconciles/min")
	for _, m := range after["rest_client_requests_total"].GetMetric() {
		n := m.GetCounter().GetValue() - value(before["rest_client_requests_total"], m)
		if n > 0 {
			b.Logf("requests in a minute: %v %.0f", m.GetLabel(), n)
		}
	}
}

// serveStats answers as hubs do.
func serveStats(b *testing.B) {
	b.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", resources.PortAdmin))
	if err != nil {
		b.Skip(err)
	}
	begin := time.Now()
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		clients := 1000 + int(time.Since(begin).Seconds()) // it grows slowly
		_ = json.NewEncoder(w).Encode(api.Stats{Node: "hub", Clients: clients, Capacity: 19744, Bus: "ok"})
	})}
	go func() { _ = srv.Serve(l) }()
	b.Cleanup(func() { _ = srv.Close() })
}

// startProgram builds and starts the operator, and returns it with the address of
// its metrics.
func startProgram(b *testing.B, k *apiServer, namespace string) (*os.Process, string) {
	b.Helper()
	binary := filepath.Join(b.TempDir(), "operator")
	if out, err := exec.Command("go", "build", "-o", binary, "../cmd/operator").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	address := freeAddress(b)
	cmd := exec.Command(binary, "--watch-namespaces="+namespace, "--leader-elect=false", "--metrics-auth=false", "--metrics-address="+address,
		"--health-address=0", "--hub-image=hub:1", "--nats-image=nats:2", "--redis-image=redis:7", "--log-level=warn")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+k.kubeconfig)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd.Process, "http://" + address + "/metrics"
}

func freeAddress(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func scrape(b *testing.B, url string) map[string]*dto.MetricFamily {
	b.Helper()
	resp, err := http.Get(url)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	return families
}

// memory is a part of a process's resident memory in bytes.
func memory(b *testing.B, p *os.Process, part string) int64 {
	b.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", p.Pid))
	if err != nil {
		b.Skip(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kib int64
		if text, ok := strings.CutPrefix(lines.Text(), part+":"); ok {
			if _, err := fmt.Sscanf(text, "%d kB", &kib); err != nil {
				b.Fatal(err)
			}
			return kib << 10
		}
	}
	return 0
}

func count(f *dto.MetricFamily) float64 {
	var n uint64
	for _, m := range f.GetMetric() {
		n += m.GetHistogram().GetSampleCount()
	}
	return float64(n)
}

// value is that of a counter with the labels of m.
func value(f *dto.MetricFamily, m *dto.Metric) float64 {
	for _, x := range f.GetMetric() {
		if fmt.Sprint(x.GetLabel()) == fmt.Sprint(m.GetLabel()) {
			return x.GetCounter().GetValue()
		}
	}
	return 0
}

// quantile returns the bound in seconds below which a share of the new samples is.
func quantile(before, after *dto.MetricFamily, share float64) float64 {
	old := map[float64]uint64{}
	for _, m := range before.GetMetric() {
		for _, bucket := range m.GetHistogram().GetBucket() {
			old[bucket.GetUpperBound()] += bucket.GetCumulativeCount()
		}
	}
	total := count(after) - count(before)
	for _, m := range after.GetMetric() {
		for _, bucket := range m.GetHistogram().GetBucket() {
			if float64(bucket.GetCumulativeCount()-old[bucket.GetUpperBound()]) >= share*total {
				return bucket.GetUpperBound()
			}
		}
	}
	return 0
}
