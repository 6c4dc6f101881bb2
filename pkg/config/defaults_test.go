package config_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/config"
)

func TestEffectiveDefaults(t *testing.T) {
	want := config.Config{
		Address:                  ":8080",
		JWTSubjectClaim:          "sub",
		JWTLeeway:                30 * second,
		QueryClientIDParam:       "client_id",
		DuplicateID:              "replace",
		ReadTimeout:              60 * second,
		WriteTimeout:             60 * second,
		PingInterval:             25 * second,
		HandshakeTimeout:         10 * second,
		ReadBufferSize:           4096,
		WriteBufferSize:          4096,
		MaxMessageSize:           65536,
		RateLimit:                config.RateLimit{MessagesPerSecond: 1000, Burst: 2000},
		SlowConsumer:             "close",
		Engine:                   "auto",
		SendQueueBytes:           262144,
		MaxRooms:                 100000,
		MaxRoomsPerClient:        100,
		MaxRoomsCreatedPerClient: 10,
		BusType:                  "noop",
		NATS: config.NATS{
			URLs: []string{"nats://localhost:4222"}, Name: "gohub",
			Prefix: "gohub", ReconnectWait: config.Duration(500 * time.Millisecond), MaxReconnects: -1,
			JetStream: config.JetStream{Replicas: 1, Storage: "file"},
		},
		Redis:    config.Redis{Addr: "localhost:6379", Prefix: "gohub"},
		Embedded: config.Embedded{ClusterAddress: ":6222"},
		Drain:    config.Drain{Delay: 5 * second, Window: 10 * second, Timeout: 30 * second},
		LogLevel: "info",
	}
	if got := (config.Config{}).Effective(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestEffectiveKeepsWhatIsSet(t *testing.T) {
	rules := []config.RoomRule{{Pattern: "a", HistorySize: 5}, {Pattern: "b", HistoryTTL: -5, HistorySize: 5}, {Pattern: "c"}}
	c := config.Config{
		Address: ":1", ReadTimeout: second, Rooms: rules,
		RateLimit: config.RateLimit{MessagesPerSecond: 30},
		Redis:     config.Redis{MasterName: "m"},
	}
	got := c.Effective()
	if got.Address != ":1" || got.ReadTimeout != second || got.RateLimit.Burst != 60 || got.Redis.Addr != "localhost:26379" {
		t.Errorf("got %v", got)
	}
	if got.Rooms[0].HistoryTTL != config.Duration(time.Hour) || got.Rooms[1].HistoryTTL != -1 || got.Rooms[2].HistoryTTL != 0 {
		t.Errorf("got rooms %+v", got.Rooms)
	}
	if rules[0].HistoryTTL != 0 || rules[1].HistoryTTL != -5 {
		t.Error("the caller's list was written to")
	}
	c.RateLimit = config.RateLimit{MessagesPerSecond: -9}
	if got := c.Effective().RateLimit; got != (config.RateLimit{MessagesPerSecond: -1}) {
		t.Errorf("without a limit: %+v", got)
	}
	c.RateLimit.MessagesPerSecond = int(^uint(0) >> 1)
	if got := c.Effective().RateLimit.Burst; got <= 0 {
		t.Errorf("the burst of the largest rate is %d", got)
	}
}
