package resources

import (
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/pkg/config"
)

func setLimits(cfg *config.Config, l v1alpha1.Limits) {
	cfg.MaxConnections = int(l.MaxConnections)
	cfg.MaxMessageSize = int(l.MaxMessageSize)
	cfg.SendQueueBytes = int(l.SendQueueBytes)
	cfg.SlowConsumer = l.SlowConsumer
	cfg.RateLimit = config.RateLimit{
		MessagesPerSecond:           int(l.MessagesPerSecond),
		Burst:                       int(l.Burst),
		ConnectionsPerAddress:       int(l.ConnectionsPerAddress),
		ConnectsPerSecondPerAddress: int(l.ConnectsPerSecondPerAddress),
	}
	cfg.MaxRooms = int(l.MaxRooms)
	cfg.MaxRoomsPerClient = int(l.MaxRoomsPerClient)
	cfg.MaxRoomsCreatedPerClient = int(l.MaxRoomsCreatedPerClient)
}

func hubRooms(rules []v1alpha1.RoomRule) []config.RoomRule {
	var all []config.RoomRule
	for _, r := range rules {
		rule := config.RoomRule{
			Pattern:     r.Pattern,
			MaxClients:  int(r.MaxClients),
			HistorySize: int(r.HistorySize),
			Presence:    r.Presence,
			Create:      r.Create,
		}
		if r.HistoryTTL != nil {
			rule.HistoryTTL = config.Duration(r.HistoryTTL.Duration)
		}
		all = append(all, rule)
	}
	return all
}

// hubDrain has the process end before its grace period does.
func hubDrain(d v1alpha1.Drain) config.Drain {
	return config.Drain{
		Delay:   orNone(d.Delay),
		Window:  orNone(d.Window),
		Timeout: config.Duration(drainTime(d) + closeTime),
	}
}

// orNone writes 0, which is no wait in the spec, as the hub does: its 0 is the
// default.
func orNone(d *v1.Duration) config.Duration {
	switch {
	case d == nil:
		return 0
	case d.Duration == 0:
		return -1
	}
	return config.Duration(d.Duration)
}

// port is an address to listen on, on every interface.
func port(number int) string { return ":" + strconv.Itoa(number) }
