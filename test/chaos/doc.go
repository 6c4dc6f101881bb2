// Package chaos runs clusters of hub processes on a real bus, breaks what can
// break, and checks what the clients were told. It has tests only.
//
//	go test ./test/chaos                                  a short run on each bus
//	go test ./test/chaos -run TestChaos -chaos.seeds=200  many, each with its own faults
//
// A run is drawn from its seed: rooms, clients, what they do, and which faults
// happen when. What is recorded is judged by package history.
//
// It needs the whole of 127.0.0.0/8 on the loopback interface, as on Linux.
package chaos
