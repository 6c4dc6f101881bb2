// Command probe says which TCP addresses it can reach, for tests of network
// policies:
//
//	probe HOST:PORT...
//
// It prints a line for each, "open HOST:PORT" or "shut HOST:PORT".
package main

import (
	"fmt"
	"net"
	"os"
	"time"
)

// A pod is there a moment before the rules for it are.
const settle = 2 * time.Second

// A packet that a policy drops has no answer, so this is how long a test waits.
const patience = 3 * time.Second

func main() {
	time.Sleep(settle)
	lines := make([]chan string, len(os.Args)-1)
	for i, address := range os.Args[1:] {
		lines[i] = make(chan string, 1)
		go func() { lines[i] <- probe(address) + " " + address }()
	}
	for _, line := range lines {
		fmt.Println(<-line)
	}
}

func probe(address string) string {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return "shut"
	}
	_ = conn.Close()
	return "open"
}
