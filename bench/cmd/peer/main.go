// Command peer runs one of the websocket servers that GoHub is compared with.
//
// All kinds but centrifuge speak the load tool's raw protocol on /ws: whoever
// connects is a member of the one room; a text message that starts with 'P' goes
// to the others, any other comes back to its sender. The side door (package
// probe) publishes to everybody.
package main

import (
	"flag"
	"fmt"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/chenxilol/gohub/bench/internal/probe"
)

// server is one kind of peer.
type server interface {
	Serve(net.Listener) error
	Publish(room string, payloads [][]byte) error
	Gauges() (clients, rooms int)
}

type options struct {
	coalesce bool
}

func kinds() map[string]func(options) (server, error) {
	return map[string]func(options) (server, error){
		"bare":       newBare,
		"gorilla":    newGorilla,
		"melody":     newMelody,
		"gws":        newGWS,
		"centrifuge": newCentrifuge,
	}
}

func main() {
	var o options
	kind := flag.String("kind", "bare", "server: "+strings.Join(kindNames(), ", "))
	addr := flag.String("addr", "127.0.0.1:9000", "listen address")
	side := flag.String("probe", "127.0.0.1:9100", "listen address of the side door")
	flag.BoolVar(&o.coalesce, "coalesce", false, "bare: one write for all payloads queued at once")
	flag.Parse()
	if err := run(*kind, *addr, *side, o); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func kindNames() []string { return slices.Sorted(maps.Keys(kinds())) }

func run(kind, addr, side string, o options) error {
	create, ok := kinds()[kind]
	if !ok {
		return fmt.Errorf("-kind %q: want one of %s", kind, strings.Join(kindNames(), ", "))
	}
	s, err := create(o)
	if err != nil {
		return fmt.Errorf("start %s: %w", kind, err)
	}
	sideLn, err := net.Listen("tcp", side)
	if err != nil {
		return fmt.Errorf("open side door: %w", err)
	}
	go func() { log.Fatal(http.Serve(sideLn, probe.Handler(s.Publish, s.Gauges))) }()
	ln, err := net.Listen("tcp4", addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	return s.Serve(ln)
}

// serveHTTP serves one upgrade handler on /ws.
func serveHTTP(ln net.Listener, upgrade http.HandlerFunc) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/ws", upgrade)
	return http.Serve(ln, mux)
}

// isPublish tells a message for the room from one that wants an echo.
func isPublish(payload []byte) bool { return len(payload) > 0 && payload[0] == 'P' }
