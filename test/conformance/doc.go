// Package conformance replays recorded RFC 6455 cases against a hub that
// echoes. It has tests only.
package conformance
