package resources

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

// natsNameVariable is the variable that the configuration takes the server's name
// from; each has its pod's.
const natsNameVariable = "POD_NAME"

const routeUser = "route"

// natsConfig renders the servers' configuration. Three servers are a cluster; one
// is none, since JetStream would wait for peers.
func natsConfig(c *v1alpha1.GoHubCluster, n *v1alpha1.ManagedNATS, password, routePassword string) string {
	var text strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	line("# Rendered by the operator; edits are undone.")
	line("server_name: $%s", natsNameVariable)
	line("port: %d", PortNATS)
	line("http_port: %d", PortNATSMonitor)
	line("pid_file: %s", quoted(natsPIDFile))
	line("max_payload: %d", maxPayload(c.Spec.Limits.MaxMessageSize))
	line("lame_duck_grace_period: \"%ds\"", lameDuckGrace)
	line("lame_duck_duration: \"%ds\"", lameDuckDuration)
	line("authorization {")
	line("  user: %s", quoted(hubUser))
	line("  password: %s", quoted(password))
	line("}")
	if n.JetStream != nil {
		line("jetstream {")
		line("  store_dir: %s", quoted(dataDir))
		// Room for what is beside the messages, and for the file system itself.
		line("  max_file_store: %d", memoryShare(n.JetStream.Storage.Size, 9, 10))
		line("}")
	}
	if n.Replicas > 1 {
		line("cluster {")
		line("  name: %s", quoted(c.Name))
		line("  port: %d", PortNATSRoutes)
		line("  no_advertise: true")
		line("  authorization {")
		line("    user: %s", quoted(routeUser))
		line("    password: %s", quoted(routePassword))
		line("  }")
		line("  routes: [")
		for i := range n.Replicas {
			server := fmt.Sprintf("%s-%d.%s", NATSName(c), i, host(c, NATSName(c)))
			route := url.URL{Scheme: "nats-route", User: url.UserPassword(routeUser, routePassword), Host: address(server, PortNATSRoutes)}
			line("    %s", quoted(route.String()))
		}
		line("  ]")
		line("}")
	}
	return text.String()
}

// quoted writes a text that neither nats-server nor Redis reads as anything else.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + `"`
}
