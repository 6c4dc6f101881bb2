package config

import (
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Validate reports what is wrong with n, as [Config.Validate] does; keys are
// named from n on, such as "urls[0]".
func (n NATS) Validate() error { return validatePart(n, n.check) }

// Validate reports what is wrong with r, as [Config.Validate] does; keys are
// named from r on, such as "addr".
func (r Redis) Validate() error { return validatePart(r, r.check) }

// Validate reports what is wrong with e, as [Config.Validate] does; keys are
// named from e on, such as "routes[0]".
func (e Embedded) Validate() error { return validatePart(e, e.check) }

func (n NATS) check(path string, p *problems) {
	for i, address := range n.URLs {
		key := join(path, item("urls", i))
		if !strings.Contains(address, "://") {
			checkDial(key, address, p)
		} else if !validURL(address, "nats", "tls", "ws", "wss") {
			p.add(key, "must be host:port or a nats://, tls://, ws:// or wss:// address with a host")
		}
	}
	var ways []string
	for _, way := range []struct{ key, value string }{
		{"username", n.Username}, {"token", n.Token}, {"credentialsFile", n.CredentialsFile}, {"nkeyFile", n.NKeyFile},
	} {
		if way.value != "" {
			ways = append(ways, join(path, way.key))
		}
	}
	if len(ways) > 1 {
		p.add(ways[0], "is set together with %s; sign in one way only", strings.Join(ways[1:], " and "))
	}
	checkUser(path, n.Username, n.Password, p)
	n.TLS.check(join(path, "tls"), p)
	if n.Prefix != "" && !validPrefix(n.Prefix) {
		p.add(join(path, "prefix"), `must be 1 to 64 letters, digits, "-" and "_", got %q`, truncate(n.Prefix))
	}
	if r := n.JetStream.Replicas; r == 2 || r == 4 {
		p.add(join(path, "jetStream.replicas"), "must be 1, 3 or 5, got %d", r)
	}
}

// validPrefix reports whether text can be one token of a subject and a part of
// a stream's name.
func validPrefix(text string) bool {
	return len(text) <= 64 && strings.Trim(text, "-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func (r Redis) check(path string, p *problems) {
	if r.Addr != "" && len(r.Addrs) > 0 {
		p.add(join(path, "addr"), "is set together with %s; use one of them", join(path, "addrs"))
	}
	if r.Addr != "" {
		checkDial(join(path, "addr"), r.Addr, p)
	}
	for i, address := range r.Addrs {
		checkDial(join(path, item("addrs", i)), address, p)
	}
	if len(r.Addrs) > 1 && r.MasterName == "" && r.DB != 0 {
		p.add(join(path, "db"), "must be 0 with several %s, which are a Redis Cluster; set masterName if they are Sentinels", join(path, "addrs"))
	}
	if r.Prefix != "" && !validPrefix(r.Prefix) {
		p.add(join(path, "prefix"), `must be 1 to 64 letters, digits, "-" and "_", got %q`, truncate(r.Prefix))
	}
	sentinel := r.SentinelUsername != "" || r.SentinelPassword != ""
	if sentinel && r.MasterName == "" {
		p.add(join(path, "masterName"), "is missing: sentinelUsername and sentinelPassword need it")
	}
	if r.Username != "" && r.Password == "" {
		p.add(join(path, "password"), "is missing: username needs it")
	}
	r.TLS.check(join(path, "tls"), p)
}

func (e Embedded) check(path string, p *problems) {
	if e.ClusterAddress != "" {
		checkListen(join(path, "clusterAddress"), e.ClusterAddress, p)
	}
	for i, route := range e.Routes {
		checkDial(join(path, item("routes", i)), route, p)
	}
	checkUser(path, e.Username, e.Password, p)
	e.TLS.check(join(path, "tls"), p)
	if e.TLS.Enabled() && e.TLS.CertFile == "" && e.TLS.KeyFile == "" {
		p.add(join(path, "tls.certFile"), "is missing: each hub of the mesh is a TLS server and needs certFile and keyFile")
	}
}

func (t ClientTLS) check(path string, p *problems) {
	checkTLSFiles(path, t.CertFile, t.KeyFile, p)
}

func checkUser(path, username, password string, p *problems) {
	switch {
	case username != "" && password == "":
		p.add(join(path, "password"), "is missing: username needs it")
	case username == "" && password != "":
		p.add(join(path, "username"), "is missing: password needs it")
	}
}

// validURL reports whether text is a URL with a host and one of the schemes.
func validURL(text string, schemes ...string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || !slices.Contains(schemes, u.Scheme) {
		return false
	}
	_, err = strconv.ParseUint(u.Port(), 10, 16)
	return u.Port() == "" || err == nil
}

// validatePart checks one part of a Config by itself.
func validatePart(part any, check func(string, *problems)) error {
	var p problems
	checkValues(reflect.ValueOf(part), "", &p)
	check("", &p)
	return p.err()
}
