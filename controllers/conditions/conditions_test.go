package conditions_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/controllers/conditions"
)

// well is a cluster of two hubs on three servers, as it is wanted.
func well() conditions.Observation {
	return conditions.Observation{
		Hubs: conditions.Hubs{Desired: 2, Wanted: 2, Exists: true, Current: true, Total: 2, Updated: 2, Ready: 2},
		Bus:  conditions.Bus{Type: v1alpha1.BusNATS, Servers: &conditions.Servers{Wanted: 3, Ready: 3, Quorum: 2}},
	}
}

func TestConditions(t *testing.T) {
	tests := []struct {
		name   string
		change func(*conditions.Observation)
		want   string // "Type=Status/Reason" of those that differ from a cluster that is well
		says   string // a part of a message
	}{
		{"well", func(*conditions.Observation) {}, "", "2 hubs are ready"},
		{"new", func(o *conditions.Observation) {
			o.Hubs = conditions.Hubs{Desired: 2}
			o.Bus.Servers.Ready = 0
		}, "Ready=False/HubsNotReady BusReady=False/BusStarting HubReady=False/HubsStarting Progressing=True/Creating", "0 of 3 servers"},
		{"a hub less than wanted", func(o *conditions.Observation) { o.Hubs.Ready = 1 },
			"Ready=False/HubsNotReady HubReady=False/HubsStarting Progressing=True/ScalingUp", "1 of 2 hubs are ready"},
		{"pods that do not start", func(o *conditions.Observation) { o.Hubs.Ready, o.Hubs.Trouble = 0, "pod x: ImagePullBackOff: none" },
			"Ready=False/HubsNotReady HubReady=False/HubsFailing Progressing=True/ScalingUp", "0 of 2 hubs are ready: pod x: ImagePullBackOff: none"},
		{"an update under way", func(o *conditions.Observation) { o.Hubs.Total, o.Hubs.Updated = 3, 1 }, "Progressing=True/RollingOut", "1 of 2 hubs are updated"},
		{"a status that is behind", func(o *conditions.Observation) { o.Hubs.Current = false }, "Progressing=True/RollingOut", ""},
		{"an update that is stuck", func(o *conditions.Observation) {
			o.Hubs.Total, o.Hubs.Updated, o.Hubs.Stuck, o.Hubs.Trouble = 3, 1, "deadline exceeded", "pod y: CrashLoopBackOff"
		}, "Progressing=False/DeadlineExceeded", "deadline exceeded: pod y: CrashLoopBackOff"},
		{"fewer hubs, draining", func(o *conditions.Observation) {
			o.Hubs.Desired, o.Hubs.Ready, o.Drain.Pods = 1, 1, []string{"x"}
		}, "Progressing=True/ScalingDown Draining=True/ScaleDown", "drained are x"},
		{"a drain that took too long", func(o *conditions.Observation) {
			o.Hubs.Desired, o.Drain = 1, conditions.Drain{Pods: []string{"x"}, Overdue: []string{"x"}}
		}, "Progressing=True/ScalingDown Draining=True/DrainOverdue", "x"},
		{"stopped", func(o *conditions.Observation) {
			o.Hubs = conditions.Hubs{Exists: true, Current: true}
		}, "Ready=True/Stopped HubReady=True/Stopped", "no hub is wanted"},
		{"a server less", func(o *conditions.Observation) { o.Bus.Servers.Ready = 2 }, "BusReady=True/BusDegraded", "2 of 3 servers"},
		{"no quorum", func(o *conditions.Observation) {
			o.Bus.Servers.Ready, o.Bus.Servers.Trouble = 1, "pod z: Unschedulable"
		},
			"Ready=False/BusNotReady BusReady=False/BusStarting", "1 of 3 servers are ready: pod z: Unschedulable"},
		{"a bus elsewhere", func(o *conditions.Observation) { o.Bus = conditions.Bus{Type: v1alpha1.BusRedis, Reached: 2} }, "BusReady=True/BusReached", ""},
		{"reached by some", func(o *conditions.Observation) { o.Bus = conditions.Bus{Type: v1alpha1.BusRedis, Reached: 1, Away: 1} },
			"BusReady=True/BusReached", "1 hubs reach the bus, 1 do not"},
		{"out of reach", func(o *conditions.Observation) { o.Bus = conditions.Bus{Type: v1alpha1.BusRedis, Away: 2} },
			"Ready=False/BusNotReady BusReady=False/BusUnreachable", "none of 2 hubs"},
		{"hubs that do not answer", func(o *conditions.Observation) { o.Bus = conditions.Bus{Type: v1alpha1.BusRedis} }, "BusReady=Unknown/BusUnknown", ""},
		{"a spec that cannot be used", func(o *conditions.Observation) {
			o.Invalid = &conditions.Problem{Reason: v1alpha1.ReasonSecretMissing, Message: "no Secret"}
		}, "Ready=False/ConfigInvalid ConfigValid=False/SecretMissing", "no Secret"},
		{"a request that failed", func(o *conditions.Observation) { o.Failure = "apply: timeout" }, "Progressing=True/ReconcileFailed", "apply: timeout"},
		{"volumes", func(o *conditions.Observation) { o.Expanding = true }, "Progressing=True/ExpandingStorage", ""},
		{"nothing to scale by", func(o *conditions.Observation) { o.Unreadable = true }, "Progressing=False/StatsUnreadable", "do not answer"},
		{"monitored", func(o *conditions.Observation) { o.Monitoring = conditions.Monitoring{Wanted: true, Installed: true} },
			"MonitoringReady=True/Monitored", ""},
		{"no CRD", func(o *conditions.Observation) { o.Monitoring.Wanted = true }, "MonitoringReady=False/CRDMissing", "servicemonitors"},
	}
	usual := conditions.Of(well())
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := well()
			test.change(&o)
			var differ []string
			said := false
			for i, c := range conditions.Of(o) {
				if c.Type != usual[i].Type {
					t.Fatalf("%s in the place of %s", c.Type, usual[i].Type)
				}
				if c.Status != usual[i].Status || c.Reason != usual[i].Reason {
					differ = append(differ, fmt.Sprintf("%s=%s/%s", c.Type, c.Status, c.Reason))
				}
				said = said || strings.Contains(c.Message, test.says)
			}
			if got := strings.Join(differ, " "); got != test.want {
				t.Errorf("got %s\nwant %s", got, test.want)
			}
			if !said {
				t.Errorf("no message has %q", test.says)
			}
		})
	}
}

func TestConditionsHaveTheirOrder(t *testing.T) {
	var types []v1alpha1.ConditionType
	for _, c := range append(conditions.Of(well()), conditions.Paused(true)) {
		types = append(types, v1alpha1.ConditionType(c.Type))
	}
	if want := append(v1alpha1.ConditionTypes(), v1alpha1.ConditionPaused); !slices.Equal(types, want) {
		t.Errorf("got %v, want %v", types, want)
	}
	if c := conditions.Paused(true); c.Status != metav1.ConditionTrue || c.Message == "" {
		t.Errorf("paused is %+v", c)
	}
}

func TestManyNamesAreCut(t *testing.T) {
	o := well()
	for i := range 1000 {
		o.Drain.Pods = append(o.Drain.Pods, fmt.Sprintf("a-long-name-of-a-pod-%d", i))
	}
	for _, c := range conditions.Of(o) {
		if len(c.Message) > 1000 {
			t.Errorf("%s has %d characters", c.Type, len(c.Message))
		}
		if c.Reason == string(v1alpha1.ReasonScaleDown) && !strings.Contains(c.Message, "and 990 more") {
			t.Errorf("message %q", c.Message)
		}
	}
}

func TestBusText(t *testing.T) {
	for want, bus := range map[string]conditions.Bus{
		"nats 2/3":       {Type: v1alpha1.BusNATS, Servers: &conditions.Servers{Wanted: 3, Ready: 2}},
		"redis external": {Type: v1alpha1.BusRedis},
		"embedded":       {Type: v1alpha1.BusEmbedded},
	} {
		if got := bus.Text(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
