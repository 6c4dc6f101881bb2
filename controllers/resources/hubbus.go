package resources

import (
	"fmt"
	"net"
	"strconv"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/pkg/config"
)

// bus tells the hubs how to reach it.
func (b *builder) bus(h *hubSettings) {
	switch bus := b.c.Spec.Bus; {
	case managedNATS(b.c) != nil:
		b.busManagedNATS(h, bus.NATS.Managed)
	case bus.NATS != nil && bus.NATS.External != nil:
		b.busExternalNATS(h, bus.NATS.External)
	case managedRedis(b.c) != nil:
		b.busManagedRedis(h)
	case bus.Redis != nil && bus.Redis.External != nil:
		b.busExternalRedis(h, bus.Redis.External)
	default:
		b.busEmbedded(h, bus.Embedded)
	}
}

// busManagedNATS names the servers by the one name of all of them, so that their
// number can change without a restart of the hubs, which spread over its
// addresses.
func (b *builder) busManagedNATS(h *hubSettings, n *v1alpha1.ManagedNATS) {
	h.config.NATS = config.NATS{
		URLs:     []string{"nats://" + address(host(b.c, NATSName(b.c)), PortNATS)},
		Prefix:   Prefix(b.c),
		Username: hubUser,
	}
	if n.JetStream != nil {
		h.config.NATS.JetStream = config.JetStream{Enable: true, Replicas: int(n.Replicas)}
	}
	h.secret("nats.password", "nats-password", b.credential(NATSName(b.c), keyPassword))
}

func (b *builder) busManagedRedis(h *hubSettings) {
	h.config.Redis = config.Redis{
		Addr:   address(host(b.c, RedisName(b.c)), PortRedis),
		Prefix: Prefix(b.c),
	}
	h.secret("redis.password", "redis-password", b.credential(RedisName(b.c), keyPassword))
}

func (b *builder) busExternalNATS(h *hubSettings, n *v1alpha1.ExternalNATS) {
	h.config.NATS = config.NATS{
		URLs:   n.URLs,
		Prefix: n.Prefix,
		TLS:    b.clientTLS(h, "spec.bus.nats.external.tls", n.TLS),
	}
	if n.Prefix == "" {
		h.config.NATS.Prefix = Prefix(b.c)
	}
	if n.JetStream != nil {
		h.config.NATS.JetStream = config.JetStream{Enable: true, Replicas: int(n.JetStream.Replicas), Storage: n.JetStream.Storage}
	}
	if n.SecretRef != nil {
		b.natsLogin(h, n.SecretRef.Name)
	}
}

// natsLogin reads the one way to sign in that a Secret has.
func (b *builder) natsLogin(h *hubSettings, name string) {
	const field = "spec.bus.nats.external.secretRef"
	data := b.secret(field, name)
	if data == nil {
		return
	}
	var ways []string
	for _, way := range []string{"username", "token", "creds", "nkey"} {
		if _, ok := data[way]; ok {
			ways = append(ways, way)
		}
	}
	if len(ways) != 1 {
		b.invalid(v1alpha1.ReasonSecretInvalid, fmt.Sprintf(
			`%s: Secret %q has %d ways to sign in, want one: "username" and "password", or "token", or "creds", or "nkey"`, field, name, len(ways)))
		return
	}
	text := b.valueOf(field, name, ways[0], data)
	switch ways[0] {
	case "username":
		h.secret("nats.username", "nats-username", text)
		h.secret("nats.password", "nats-password", b.valueOf(field, name, "password", data))
	case "token":
		h.secret("nats.token", "nats-token", text)
	case "creds":
		h.config.NATS.CredentialsFile = h.file("nats.creds", data["creds"])
	case "nkey":
		h.config.NATS.NKeyFile = h.file("nats.nkey", data["nkey"])
	}
}

func (b *builder) busExternalRedis(h *hubSettings, r *v1alpha1.ExternalRedis) {
	h.config.Redis = config.Redis{
		MasterName: r.MasterName,
		DB:         int(r.DB),
		Prefix:     r.Prefix,
		TLS:        b.clientTLS(h, "spec.bus.redis.external.tls", r.TLS),
	}
	if r.Prefix == "" {
		h.config.Redis.Prefix = Prefix(b.c)
	}
	if len(r.Addresses) == 1 && r.MasterName == "" {
		h.config.Redis.Addr = r.Addresses[0]
	} else {
		h.config.Redis.Addrs = r.Addresses
	}
	if r.SecretRef == nil {
		return
	}
	const field = "spec.bus.redis.external.secretRef"
	data := b.secret(field, r.SecretRef.Name)
	for _, s := range []struct{ key, path, file string }{
		{"username", "redis.username", "redis-username"},
		{"password", "redis.password", "redis-password"},
		{"sentinelUsername", "redis.sentinelUsername", "redis-sentinel-username"},
		{"sentinelPassword", "redis.sentinelPassword", "redis-sentinel-password"},
	} {
		if _, ok := data[s.key]; ok {
			h.secret(s.path, s.file, b.valueOf(field, r.SecretRef.Name, s.key, data))
		}
	}
}

func (b *builder) busEmbedded(h *hubSettings, e *v1alpha1.EmbeddedBus) {
	h.config.Embedded = config.Embedded{
		ClusterAddress: port(PortMesh),
		Routes:         []string{address(host(b.c, MeshName(b.c)), PortMesh)},
		Username:       hubUser,
	}
	h.secret("embedded.password", "mesh-password", b.credential(MeshName(b.c), keyPassword))
	if e == nil || e.TLS == nil {
		return
	}
	data := b.certificate("spec.bus.embedded.tls.secretName", e.TLS.SecretName, keyCert, keyPrivate, keyCA)
	// The hubs read the certificate again, but not the authorities.
	h.hashed = append(h.hashed, data[keyCA])
	dir := h.mount(e.TLS.SecretName, meshDir, keyCert, keyPrivate, keyCA)
	h.config.Embedded.TLS = config.ClientTLS{
		CAFile:   dir + "/" + keyCA,
		CertFile: dir + "/" + keyCert,
		KeyFile:  dir + "/" + keyPrivate,
		// Hubs reach each other by address; any name below the wildcard will do.
		ServerName: "hub." + host(b.c, MeshName(b.c)),
	}
}

// clientTLS copies the files of a ClientTLS, which roll the hubs when they change.
func (b *builder) clientTLS(h *hubSettings, field string, t *v1alpha1.ClientTLS) config.ClientTLS {
	if t == nil {
		return config.ClientTLS{}
	}
	set := config.ClientTLS{Enable: true, ServerName: t.ServerName}
	if t.SecretName == "" {
		return set
	}
	data := b.secret(field+".secretName", t.SecretName)
	copied := func(key string) string {
		if _, ok := data[key]; !ok {
			return ""
		}
		b.valueOf(field+".secretName", t.SecretName, key, data)
		return h.file("bus-"+key, data[key])
	}
	set.CAFile, set.CertFile, set.KeyFile = copied(keyCA), copied(keyCert), copied(keyPrivate)
	if data != nil && set.CAFile == "" && set.CertFile == "" {
		b.invalid(v1alpha1.ReasonSecretInvalid, fmt.Sprintf("%s.secretName: Secret %q has neither %q nor %q and %q: add what the bus asks for",
			field, t.SecretName, keyCA, keyCert, keyPrivate))
	}
	return set
}

// credential returns a generated password.
func (b *builder) credential(of, key string) string {
	return b.value("the generated credentials", credentialsName(of), key)
}

func address(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
