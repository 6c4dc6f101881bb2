// Command cluster measures hubs that act as one over a bus: three hub processes,
// a broker, and websocket clients of its own.
//
//	cluster -hub out/hub -bus nats -broker out/nats-server
//	cluster -hub out/hub -bus redis -broker redis-server
//	cluster -hub out/hub -bus embedded
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	var c config
	flag.StringVar(&c.hub, "hub", "hub", "path of the hub")
	flag.StringVar(&c.bus, "bus", "nats", "nats, jetstream, redis or embedded")
	flag.StringVar(&c.broker, "broker", "", "path of nats-server or redis-server")
	flag.IntVar(&c.port, "port", 9500, "first of the loopback ports used")
	flag.IntVar(&c.messages, "messages", 3000, "messages to measure the latency with, 500 a second")
	flag.IntVar(&c.joins, "joins", 10000, "joins of as many new rooms")
	flag.IntVar(&c.rooms, "rooms", 200000, "active rooms on one node")
	flag.IntVar(&c.appends, "appends", 100000, "messages to publish to rooms with a history")
	flag.Parse()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	b := &bench{config: c}
	go func() {
		<-stop
		b.close()
		os.Exit(1)
	}()
	err := b.run()
	b.close()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}
