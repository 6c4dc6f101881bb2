package server

import (
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/bus/embedded"
	"github.com/chenxilol/gohub/pkg/bus/nats"
	"github.com/chenxilol/gohub/pkg/bus/redis"
	"github.com/chenxilol/gohub/pkg/config"
)

// OptionsFromConfig returns the options that c describes, with Logger,
// Registerer and OpenBus unset. It shares no memory with c and does not validate.
func OptionsFromConfig(c config.Config) *Options {
	return &Options{
		Address:                  c.Address,
		AdminAddress:             c.AdminAddress,
		APIKey:                   c.APIKey,
		TLS:                      TLSFiles(c.TLS),
		AllowedOrigins:           slices.Clone(c.AllowedOrigins),
		TrustedProxies:           slices.Clone(c.TrustedProxies),
		EnableAuth:               c.EnableAuth,
		AllowAnonymous:           c.AllowAnonymous,
		AnonymousPermissions:     convertList(c.AnonymousPermissions, func(s string) auth.Permission { return auth.Permission(s) }),
		JWTSecretKey:             c.JWTSecretKey,
		JWTPreviousSecretKeys:    slices.Clone(c.JWTPreviousSecretKeys),
		JWTPublicKeys:            slices.Clone(c.JWTPublicKeys),
		JWKSURL:                  c.JWKSURL,
		JWTAlgorithm:             c.JWTAlgorithm,
		JWTIssuer:                c.JWTIssuer,
		JWTAudience:              c.JWTAudience,
		JWTSubjectClaim:          c.JWTSubjectClaim,
		JWTLeeway:                time.Duration(c.JWTLeeway),
		RequireExpiry:            c.RequireExpiry,
		EnableQueryClientID:      c.EnableQueryClientID,
		QueryClientIDParam:       c.QueryClientIDParam,
		DuplicateID:              DuplicatePolicy(c.DuplicateID),
		ReadTimeout:              time.Duration(c.ReadTimeout),
		WriteTimeout:             time.Duration(c.WriteTimeout),
		PingInterval:             time.Duration(c.PingInterval),
		HandshakeTimeout:         time.Duration(c.HandshakeTimeout),
		ReadBufferSize:           c.ReadBufferSize,
		WriteBufferSize:          c.WriteBufferSize,
		MaxMessageSize:           c.MaxMessageSize,
		MaxConnections:           c.MaxConnections,
		Compression:              c.Compression,
		RateLimit:                RateLimit(c.RateLimit),
		SlowConsumer:             SlowConsumerPolicy(c.SlowConsumer),
		Engine:                   Engine(c.Engine),
		SendQueueBytes:           c.SendQueueBytes,
		MaxRooms:                 c.MaxRooms,
		MaxRoomsPerClient:        c.MaxRoomsPerClient,
		MaxRoomsCreatedPerClient: c.MaxRoomsCreatedPerClient,
		Rooms:                    convertList(c.Rooms, roomRuleFromConfig),
		EnableCluster:            c.EnableCluster,
		NodeID:                   c.NodeID,
		BusType:                  c.BusType,
		NATSConfig:               natsFromConfig(c.NATS),
		RedisConfig:              redisFromConfig(c.Redis),
		EmbeddedConfig:           embeddedFromConfig(c.Embedded),
		Drain: Drain{
			Delay:   time.Duration(c.Drain.Delay),
			Window:  time.Duration(c.Drain.Window),
			Timeout: time.Duration(c.Drain.Timeout),
		},
		DisableSignals: c.DisableSignals,
		LogLevel:       c.LogLevel,
	}
}

// Config returns o as a configuration, as it would be written in a file;
// Logger, Registerer and OpenBus have no place there. It is the inverse of
// [OptionsFromConfig]; a nil o is the zero configuration.
func (o *Options) Config() config.Config {
	if o == nil {
		return config.Config{}
	}
	return config.Config{
		Address:                  o.Address,
		AdminAddress:             o.AdminAddress,
		APIKey:                   o.APIKey,
		TLS:                      config.TLSFiles(o.TLS),
		AllowedOrigins:           slices.Clone(o.AllowedOrigins),
		TrustedProxies:           slices.Clone(o.TrustedProxies),
		EnableAuth:               o.EnableAuth,
		AllowAnonymous:           o.AllowAnonymous,
		AnonymousPermissions:     convertList(o.AnonymousPermissions, func(p auth.Permission) string { return string(p) }),
		JWTSecretKey:             o.JWTSecretKey,
		JWTPreviousSecretKeys:    slices.Clone(o.JWTPreviousSecretKeys),
		JWTPublicKeys:            slices.Clone(o.JWTPublicKeys),
		JWKSURL:                  o.JWKSURL,
		JWTAlgorithm:             o.JWTAlgorithm,
		JWTIssuer:                o.JWTIssuer,
		JWTAudience:              o.JWTAudience,
		JWTSubjectClaim:          o.JWTSubjectClaim,
		JWTLeeway:                config.Duration(o.JWTLeeway),
		RequireExpiry:            o.RequireExpiry,
		EnableQueryClientID:      o.EnableQueryClientID,
		QueryClientIDParam:       o.QueryClientIDParam,
		DuplicateID:              string(o.DuplicateID),
		ReadTimeout:              config.Duration(o.ReadTimeout),
		WriteTimeout:             config.Duration(o.WriteTimeout),
		PingInterval:             config.Duration(o.PingInterval),
		HandshakeTimeout:         config.Duration(o.HandshakeTimeout),
		ReadBufferSize:           o.ReadBufferSize,
		WriteBufferSize:          o.WriteBufferSize,
		MaxMessageSize:           o.MaxMessageSize,
		MaxConnections:           o.MaxConnections,
		Compression:              o.Compression,
		RateLimit:                config.RateLimit(o.RateLimit),
		SlowConsumer:             string(o.SlowConsumer),
		Engine:                   string(o.Engine),
		SendQueueBytes:           o.SendQueueBytes,
		MaxRooms:                 o.MaxRooms,
		MaxRoomsPerClient:        o.MaxRoomsPerClient,
		MaxRoomsCreatedPerClient: o.MaxRoomsCreatedPerClient,
		Rooms:                    convertList(o.Rooms, RoomRule.config),
		EnableCluster:            o.EnableCluster,
		NodeID:                   o.NodeID,
		BusType:                  o.BusType,
		NATS:                     natsToConfig(o.NATSConfig),
		Redis:                    redisToConfig(o.RedisConfig),
		Embedded:                 embeddedToConfig(o.EmbeddedConfig),
		Drain: config.Drain{
			Delay:   config.Duration(o.Drain.Delay),
			Window:  config.Duration(o.Drain.Window),
			Timeout: config.Duration(o.Drain.Timeout),
		},
		DisableSignals: o.DisableSignals,
		LogLevel:       o.LogLevel,
	}
}

// String returns the options as JSON with their secrets hidden.
func (o Options) String() string { return o.Config().String() }

// LogValue lets a logger show the options without their secrets.
func (o Options) LogValue() slog.Value { return o.Config().LogValue() }

func roomRuleFromConfig(r config.RoomRule) RoomRule {
	return RoomRule{
		Pattern:     r.Pattern,
		MaxClients:  r.MaxClients,
		HistorySize: r.HistorySize,
		HistoryTTL:  time.Duration(r.HistoryTTL),
		Presence:    r.Presence,
		Create:      r.Create,
	}
}

func (r RoomRule) config() config.RoomRule {
	return config.RoomRule{
		Pattern:     r.Pattern,
		MaxClients:  r.MaxClients,
		HistorySize: r.HistorySize,
		HistoryTTL:  config.Duration(r.HistoryTTL),
		Presence:    r.Presence,
		Create:      r.Create,
	}
}

func natsFromConfig(n config.NATS) *nats.Config {
	if reflect.ValueOf(n).IsZero() {
		return nil
	}
	n.URLs = slices.Clone(n.URLs)
	c := nats.FromConfig(n)
	return &c
}

func natsToConfig(c *nats.Config) config.NATS {
	if c == nil {
		return config.NATS{}
	}
	n := c.ToConfig()
	n.URLs = slices.Clone(n.URLs)
	return n
}

func redisFromConfig(r config.Redis) *redis.Config {
	if reflect.ValueOf(r).IsZero() {
		return nil
	}
	r.Addrs = slices.Clone(r.Addrs)
	c := redis.FromConfig(r)
	return &c
}

func redisToConfig(c *redis.Config) config.Redis {
	if c == nil {
		return config.Redis{}
	}
	r := c.ToConfig()
	r.Addrs = slices.Clone(r.Addrs)
	return r
}

func embeddedFromConfig(e config.Embedded) *embedded.Config {
	if reflect.ValueOf(e).IsZero() {
		return nil
	}
	e.Routes = slices.Clone(e.Routes)
	c := embedded.FromConfig(e)
	return &c
}

func embeddedToConfig(c *embedded.Config) config.Embedded {
	if c == nil {
		return config.Embedded{}
	}
	e := c.ToConfig()
	e.Routes = slices.Clone(e.Routes)
	return e
}

// convertList maps a list and keeps nil nil.
func convertList[A, B any](list []A, f func(A) B) []B {
	if list == nil {
		return nil
	}
	converted := make([]B, len(list))
	for i, item := range list {
		converted[i] = f(item)
	}
	return converted
}
