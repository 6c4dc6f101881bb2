// Package nats connects hubs through NATS.
//
// Names on the server, where <prefix> is [Config].Prefix:
//
//	<prefix>.out.0.<subject>        messages that were published
//	<prefix>.in.<epoch>.<subject>   what is appended to a log; the stream <prefix>-log takes it
//	<prefix>.out.<epoch>.<subject>  its live copies, which the server sends when it has stored it
//	<prefix>.lease.<node>           the leases of nodes; the stream <prefix>-lease takes them
//	<prefix>.inbox.>                answers to this node
//
// The user that a hub signs in as needs to publish and subscribe to <prefix>.>,
// and with JetStream to publish to $JS.API.> as well.
//
// The epoch of the log is drawn when the stream is made and is part of its
// subjects, so that a live copy tells which log it belongs to, and what is
// appended to a log that is lost is taken by nobody. The first entry of the
// stream, which is never removed, holds the epoch, too: where it is missing the
// stream has been emptied behind our back and gets another epoch.
package nats
