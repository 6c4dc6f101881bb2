package resources_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
)

func TestTimesFollowFromDrain(t *testing.T) {
	for _, c := range []struct {
		drain    string
		replicas int32
		grace    int64
		deadline int32
	}{
		{"{}", 2, 50, 2*60 + 300},
		{"{delay: 0s, window: 0s}", 1, 15, 25 + 300},
		{"{delay: 0s, window: 0s}", 0, 15, 300},
		{"{delay: 1500ms, window: 1ms}", 1, 17, 27 + 300},
		{"{delay: 10s, window: 5m}", 10, 325, 10*335 + 300},
		{"{delay: 10m, window: 6h}", 1000, 22215, 1000*22225 + 300},
	} {
		x := withSpec(t, "{drain: "+c.drain+"}")
		f := facts(x)
		f.Replicas = c.replicas
		d := build(t, x, f).Hub.Deployment.Spec
		if got := *d.Template.Spec.TerminationGracePeriodSeconds; got != c.grace {
			t.Errorf("%s: grace period %d, want %d", c.drain, got, c.grace)
		}
		if got := *d.ProgressDeadlineSeconds; got != c.deadline || got <= *d.MinReadySeconds {
			t.Errorf("%s: progress deadline %d, want %d", c.drain, got, c.deadline)
		}
		if *d.Replicas != c.replicas || d.Strategy.RollingUpdate.MaxSurge.IntVal != 1 || d.Strategy.RollingUpdate.MaxUnavailable.IntVal != 0 {
			t.Errorf("%s: %+v", c.drain, d.Strategy)
		}
		if d.Template.Spec.Containers[0].Lifecycle != nil {
			t.Error("a preStop hook would delay the drain")
		}
	}
}

func variable(env []corev1ac.EnvVarApplyConfiguration, name string) string {
	for _, e := range env {
		if *e.Name == name && e.Value != nil {
			return *e.Value
		}
	}
	return ""
}

func TestMemoryOfTheHubs(t *testing.T) {
	for spec, want := range map[string]string{
		"{}":                                     "",
		"{resources: {requests: {memory: 1Gi}}}": "",
		"{resources: {limits: {memory: 1Gi}}}":   "966367641",
		"{resources: {limits: {memory: 10}}}":    "9",
		"{resources: {limits: {memory: 1}}}":     "",
		"{resources: {limits: {memory: 8E}}}":    "7200000000000000000",
		"{resources: {limits: {memory: 1Gi}}, env: [{name: GOMEMLIMIT, value: 1MiB}]}": "1MiB",
	} {
		c := withSpec(t, "{pod: "+spec+"}")
		env := build(t, c, facts(c)).Hub.Deployment.Spec.Template.Spec.Containers[0].Env
		if got := variable(env, "GOMEMLIMIT"); got != want {
			t.Errorf("%s: GOMEMLIMIT %q, want %q", spec, got, want)
		}
	}
}

func TestNumbersOfTheBuses(t *testing.T) {
	for size, payload := range map[int]int{
		0: 1 << 20, 65536: 1 << 20, 1 << 20: 1<<20 + 65536, 10 << 20: 10<<20 + 65536, 64 << 20: 64 << 20, 1<<31 - 1: 64 << 20, -1: 64 << 20,
	} {
		c := withSpec(t, fmt.Sprintf("{limits: {maxMessageSize: %d}}", size))
		conf := string(build(t, c, facts(c)).NATS.Config.Data["nats.conf"])
		if want := "\nmax_payload: " + strconv.Itoa(payload) + "\n"; !strings.Contains(conf, want) {
			t.Errorf("messages of %d: no %q in\n%s", size, want, conf)
		}
	}
	for size, store := range map[string]string{"10Gi": "9663676416", "64Mi": "60397977", "1E": "900000000000000000"} {
		c := withSpec(t, "{bus: {nats: {managed: {jetStream: {storage: {size: "+size+"}}}}}}")
		conf := string(build(t, c, facts(c)).NATS.Config.Data["nats.conf"])
		if want := "  max_file_store: " + store + "\n"; !strings.Contains(conf, want) {
			t.Errorf("%s: no %q in\n%s", size, want, conf)
		}
	}
	for limit, want := range map[string]string{"": "", "1Gi": "\nmaxmemory 805306368\n"} {
		c := withSpec(t, "{bus: {type: redis, redis: {managed: {pod: {resources: {limits: {memory: "+strings.Trim(`"`+limit+`"`, `"`)+"}}}}}}}")
		if limit == "" {
			c = withSpec(t, "{bus: {type: redis, redis: {managed: {}}}}")
		}
		conf := string(build(t, c, facts(c)).Redis.Config.Data["redis.conf"])
		if got := strings.Contains(conf, "\nmaxmemory "); got != (want != "") || !strings.Contains(conf, want) {
			t.Errorf("%q: no %q in\n%s", limit, want, conf)
		}
	}
}

func TestBudgets(t *testing.T) {
	for replicas, want := range map[int32]bool{0: false, 1: false, 2: true, 50: true} {
		c := withSpec(t, "{}")
		f := facts(c)
		f.Replicas = replicas
		if got := build(t, c, f).Hub.Budget != nil; got != want {
			t.Errorf("%d hubs: %v", replicas, got)
		}
	}
	one := withSpec(t, "{bus: {nats: {managed: {replicas: 1}}}}")
	if o := build(t, one, facts(one)); o.NATS.Budget != nil {
		t.Error("one server has a budget")
	}
}
