// Command load measures a websocket server over loopback and prints one JSON
// line of results. Its clients are raw sockets in worker processes, an epoll
// loop each, so that neither the descriptor limit of a process nor the client's
// own cost decides what is seen.
//
//	load -mode idle   -pid PID -conns 19000 -rooms 1 -hold 55s
//	load -mode fanout -pid PID -conns 10000 -burst 100            # published through the side door
//	load -mode fanout -pid PID -conns 10000 -burst 100 -senders 100 -v1 10 -deflate 10
//	load -mode echo   -pid PID -conns 100 -rate 1000              # open loop; -rate 0: closed loop
//	load -mode join   -pid PID -small 100 -conns 19000
//	load -mode churn  -pid PID -cycles 10000
//
// With -beside, several servers are measured in one run. In fanout and echo
// they take turns of a second, all with their clients connected, so that a
// machine that is now faster and now slower is so for all of them.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
)

func main() {
	cfg, err := parseConfig(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err == nil && os.Getenv(workerEnv) != "" {
		err = runWorker(cfg, os.Getenv(workerEnv))
	} else if err == nil {
		err = measure(cfg)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}
