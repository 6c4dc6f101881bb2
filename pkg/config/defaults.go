package config

import (
	"cmp"
	"math"
	"reflect"
	"time"
)

// The defaults that zero values stand for. RateLimit.Burst defaults to twice
// MessagesPerSecond, and MaxConnections to the process's descriptor limit less
// [DescriptorReserve].
const (
	DefaultAddress            = ":8080"
	DefaultJWTSubjectClaim    = "sub"
	DefaultJWTLeeway          = 30 * time.Second
	DefaultQueryClientIDParam = "client_id"
	DefaultDuplicateID        = "replace"
	DefaultReadTimeout        = 60 * time.Second
	DefaultWriteTimeout       = 60 * time.Second
	DefaultPingInterval       = 25 * time.Second
	DefaultHandshakeTimeout   = 10 * time.Second
	DefaultReadBufferSize     = 4096
	DefaultWriteBufferSize    = 4096
	DefaultMaxMessageSize     = 64 << 10
	DefaultMessagesPerSecond  = 1000
	DefaultSlowConsumer       = "close"
	DefaultEngine             = "auto"
	DefaultSendQueueBytes     = 256 << 10
	DefaultMaxRooms           = 100_000
	DefaultRoomsPerClient     = 100
	DefaultCreatedPerClient   = 10
	DefaultHistoryTTL         = time.Hour
	DefaultBusType            = "noop"
	DefaultDrainDelay         = 5 * time.Second
	DefaultDrainWindow        = 10 * time.Second
	DefaultDrainTimeout       = 30 * time.Second
	DefaultLogLevel           = "info"

	DefaultNATSURL         = "nats://localhost:4222"
	DefaultNATSName        = "gohub"
	DefaultNATSPrefix      = "gohub"
	DefaultReplicas        = 1
	DefaultStorage         = "file"
	DefaultReconnectWait   = 500 * time.Millisecond
	DefaultRedisAddr       = "localhost:6379"
	DefaultSentinelAddr    = "localhost:26379"
	DefaultRedisPrefix     = "gohub"
	DefaultEmbeddedAddress = ":6222"

	// DescriptorReserve is the number of open descriptors kept free for files,
	// the bus and HTTP when MaxConnections follows from the limit.
	DescriptorReserve = 256
)

// Effective returns c with every zero replaced by its default and every
// negative that means off or unlimited written as -1. So in an effective
// configuration a limit binds, and a timer runs, exactly when it is above
// zero. Effective is idempotent; MaxConnections stays zero, as its default
// depends on the process. It does not validate.
func (c Config) Effective() Config {
	set(&c.Address, DefaultAddress)
	set(&c.JWTSubjectClaim, DefaultJWTSubjectClaim)
	set(&c.JWTLeeway, Duration(DefaultJWTLeeway))
	set(&c.QueryClientIDParam, DefaultQueryClientIDParam)
	set(&c.DuplicateID, DefaultDuplicateID)
	set(&c.ReadTimeout, Duration(DefaultReadTimeout))
	set(&c.WriteTimeout, Duration(DefaultWriteTimeout))
	set(&c.PingInterval, Duration(DefaultPingInterval))
	set(&c.HandshakeTimeout, Duration(DefaultHandshakeTimeout))
	set(&c.ReadBufferSize, DefaultReadBufferSize)
	set(&c.WriteBufferSize, DefaultWriteBufferSize)
	set(&c.MaxMessageSize, DefaultMaxMessageSize)
	set(&c.RateLimit.MessagesPerSecond, DefaultMessagesPerSecond)
	set(&c.RateLimit.Burst, defaultBurst(c.RateLimit.MessagesPerSecond))
	set(&c.SlowConsumer, DefaultSlowConsumer)
	set(&c.Engine, DefaultEngine)
	set(&c.SendQueueBytes, DefaultSendQueueBytes)
	set(&c.MaxRooms, DefaultMaxRooms)
	set(&c.MaxRoomsPerClient, DefaultRoomsPerClient)
	set(&c.MaxRoomsCreatedPerClient, DefaultCreatedPerClient)
	set(&c.BusType, DefaultBusType)
	set(&c.Drain.Delay, Duration(DefaultDrainDelay))
	set(&c.Drain.Window, Duration(DefaultDrainWindow))
	set(&c.Drain.Timeout, Duration(DefaultDrainTimeout))
	set(&c.LogLevel, DefaultLogLevel)
	c.Rooms = effectiveRooms(c.Rooms)
	c.NATS = c.NATS.Effective()
	c.Redis = c.Redis.Effective()
	c.Embedded = c.Embedded.Effective()
	normalise(reflect.ValueOf(&c).Elem())
	return c
}

// Effective returns n with its defaults in place of zeros.
func (n NATS) Effective() NATS {
	if len(n.URLs) == 0 {
		n.URLs = []string{DefaultNATSURL}
	}
	set(&n.Name, DefaultNATSName)
	set(&n.Prefix, DefaultNATSPrefix)
	set(&n.JetStream.Replicas, DefaultReplicas)
	set(&n.JetStream.Storage, DefaultStorage)
	set(&n.ReconnectWait, Duration(DefaultReconnectWait))
	set(&n.MaxReconnects, -1)
	normalise(reflect.ValueOf(&n).Elem())
	return n
}

// Effective returns r with its defaults in place of zeros.
func (r Redis) Effective() Redis {
	switch {
	case len(r.Addrs) > 0:
	case r.MasterName != "":
		set(&r.Addr, DefaultSentinelAddr)
	default:
		set(&r.Addr, DefaultRedisAddr)
	}
	set(&r.Prefix, DefaultRedisPrefix)
	return r
}

// Effective returns e with its defaults in place of zeros.
func (e Embedded) Effective() Embedded {
	set(&e.ClusterAddress, DefaultEmbeddedAddress)
	return e
}

func effectiveRooms(rules []RoomRule) []RoomRule {
	if rules == nil {
		return nil
	}
	effective := make([]RoomRule, len(rules))
	for i, r := range rules {
		if r.HistorySize > 0 {
			set(&r.HistoryTTL, Duration(DefaultHistoryTTL))
		}
		normalise(reflect.ValueOf(&r).Elem())
		effective[i] = r
	}
	return effective
}

// defaultBurst is two seconds' worth of messages, and none where there is no
// limit to burst through.
func defaultBurst(perSecond int) int {
	return 2 * min(max(perSecond, 0), math.MaxInt/2)
}

func set[T comparable](field *T, def T) { *field = cmp.Or(*field, def) }

// normalise writes -1 for every negative number that has a meaning. It goes
// into nested structures but not into lists, whose arrays are the caller's.
func normalise(v reflect.Value) {
	for i := range v.NumField() {
		field, tag := v.Field(i), v.Type().Field(i).Tag
		switch {
		case field.Kind() == reflect.Struct:
			normalise(field)
		case field.CanInt() && field.Int() < 0 && tag.Get("negative") != "":
			field.SetInt(-1)
		}
	}
}
