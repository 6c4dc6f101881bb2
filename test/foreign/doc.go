// Package foreign lets clients in other languages talk to a hub: the npm
// package ws and Python's websockets. ws.mjs and websockets_client.py are thin:
// they do what they are told on their standard input, a JSON object a line, and
// say what they saw on their standard output. What is right is decided here.
// The package has tests only.
package foreign
