package config

// RateLimit bounds what one client or one client address may do.
type RateLimit struct {
	// MessagesPerSecond is the number of messages a client may send a second on
	// average, raw frames included. Messages over it are answered with error
	// 1005; a client that keeps on is closed with 4029. Negative turns the
	// limit off.
	MessagesPerSecond int `json:"messagesPerSecond" negative:"off"`

	// Burst is the number of messages a client may send at once after being
	// silent. Zero is twice MessagesPerSecond.
	Burst int `json:"burst"`

	// ConnectionsPerAddress is the number of connections one client address may
	// hold at once; beyond it upgrades are answered 429. Zero or negative is no
	// limit. Behind a proxy set TrustedProxies too, or all clients share the
	// proxy's address.
	ConnectionsPerAddress int `json:"connectionsPerAddress" negative:"off"`

	// ConnectsPerSecondPerAddress is the number of connections one client
	// address may open a second; beyond it upgrades are answered 429. Zero or
	// negative is no limit.
	ConnectsPerSecondPerAddress int `json:"connectsPerSecondPerAddress" negative:"off"`
}

// RoomRule sets what holds for the rooms whose names match Pattern.
type RoomRule struct {
	// Pattern matches names of rooms: "*" stands for any run of characters,
	// also none; everything else is literal. Required, 1 to 512 bytes of UTF-8
	// without control characters, and no two rules may have the same.
	Pattern string `json:"pattern"`

	// MaxClients is the number of members such a room may have. Zero or
	// negative is no limit.
	MaxClients int `json:"maxClients" negative:"unlimited"`

	// HistorySize is the number of latest messages kept for such a room. Zero
	// or negative keeps none.
	HistorySize int `json:"historySize" negative:"none"`

	// HistoryTTL is how long a message is kept in the history. Zero is one hour
	// where HistorySize is set; negative keeps messages until newer ones push
	// them out. It needs HistorySize.
	HistoryTTL Duration `json:"historyTTL" negative:"unlimited"`

	// Presence tells members that speak gohub.v1 who joins and leaves.
	Presence bool `json:"presence"`

	// Create makes a missing room when a client joins it, even a client without
	// the create:room permission. Such a room vanishes with its last member.
	Create bool `json:"create"`
}

// TLSFiles names the certificate and key of a server, both in PEM form. The
// files are read again when they change.
type TLSFiles struct {
	// CertFile is the path of the certificate, followed by its intermediates.
	// It needs KeyFile.
	CertFile string `json:"certFile"`

	// KeyFile is the path of the certificate's private key. It needs CertFile.
	KeyFile string `json:"keyFile"`
}

// Drain paces a hub's way out.
type Drain struct {
	// Delay is how long the hub still takes upgrades after /readyz turned 503,
	// so that load balancers notice first. Negative waits not at all.
	Delay Duration `json:"delay" negative:"none"`

	// Window is the time over which clients are sent away, each in its own
	// slot, so that they do not all come back at once. Negative sends all away
	// at once.
	Window Duration `json:"window" negative:"none"`

	// Timeout bounds the whole drain, Delay and Window included; what is open
	// then is closed. It cannot be shorter than Delay and Window together.
	// Negative sets no bound.
	Timeout Duration `json:"timeout" negative:"unlimited"`
}
