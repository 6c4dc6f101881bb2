package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RoomRule sets what holds for the rooms whose names match Pattern.
//
// +kubebuilder:validation:XValidation:rule="!has(self.historyTTL) || self.historySize > 0",message="rooms: historyTTL needs historySize, the number of messages to keep"
type RoomRule struct {
	// Pattern matches names of rooms: "*" stands for any run of characters, also
	// none; everything else is literal. 1 to 512 bytes without control
	// characters.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Pattern string `json:"pattern"`

	// MaxClients is the number of members such a room may have, over all hubs.
	// Default 0: no limit.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	MaxClients int32 `json:"maxClients"`

	// HistorySize is the number of latest messages kept for such a room. Default
	// 0: none. It needs a bus that keeps it: NATS with jetStream, redis or
	// embedded.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	HistorySize int32 `json:"historySize"`

	// HistoryTTL is how long a message is kept in the history, such as "1h", at
	// least 1s. Default 1h. It needs historySize.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}(\\\\.[0-9]{1,3})?(ms|s|m|h))+$') && duration(self) >= duration('1s')",message="rooms: historyTTL must be a duration with a unit, such as 90s or 24h, of at least 1s; leave it out for 1h"
	HistoryTTL *metav1.Duration `json:"historyTTL,omitempty"`

	// Presence tells members that speak gohub.v1 who joins and leaves. Default
	// false.
	// +optional
	Presence bool `json:"presence,omitempty"`

	// Create makes a missing room when a client joins it, even a client without
	// the create:room permission. Such a room vanishes with its last member.
	// Default false.
	// +optional
	Create bool `json:"create,omitempty"`
}

// Limits bound what one hub, client, room or address may use. 0 is the default
// everywhere.
type Limits struct {
	// MaxConnections is the number of connections one hub accepts; beyond it
	// upgrades are answered 503. Default 0: the pod's limit of open descriptors
	// less 256. -1 accepts any number. It is each hub's share of
	// status.capacity.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=-1
	MaxConnections int32 `json:"maxConnections"`

	// MaxMessageSize is the largest message in bytes a client may send, counted
	// after decompression; a larger one closes the connection with 1009.
	// Default 65536 (64 KiB). -1 allows any size.
	// +optional
	// +kubebuilder:default=65536
	// +kubebuilder:validation:Minimum=-1
	MaxMessageSize int32 `json:"maxMessageSize,omitempty"`

	// SendQueueBytes is the number of bytes that may wait for one client whose
	// socket is full. Default 262144 (256 KiB). -1 lets any number wait.
	// +optional
	// +kubebuilder:default=262144
	// +kubebuilder:validation:Minimum=-1
	SendQueueBytes int32 `json:"sendQueueBytes,omitempty"`

	// SlowConsumer says what happens to a client with more than sendQueueBytes
	// waiting: close closes it with 4008, drop drops messages and announces the
	// gap to clients that speak gohub.v1 (others are closed). Default close.
	// +optional
	// +kubebuilder:default=close
	// +kubebuilder:validation:Enum=close;drop
	SlowConsumer string `json:"slowConsumer,omitempty"`

	// MessagesPerSecond is the number of messages a client may send a second on
	// average. Messages over it are answered with error 1005; a client that
	// keeps on is closed with 4029. Default 1000. -1 turns the limit off.
	// +optional
	// +kubebuilder:default=1000
	// +kubebuilder:validation:Minimum=-1
	MessagesPerSecond int32 `json:"messagesPerSecond,omitempty"`

	// Burst is the number of messages a client may send at once after being
	// silent. Default 0: twice messagesPerSecond.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	Burst int32 `json:"burst"`

	// ConnectionsPerAddress is the number of connections one client address may
	// hold at one hub; beyond it upgrades are answered 429. Default 0: no limit.
	// Behind a gateway set trustedProxies in config too, or all clients share
	// the gateway's address.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	ConnectionsPerAddress int32 `json:"connectionsPerAddress"`

	// ConnectsPerSecondPerAddress is the number of connections one client address
	// may open a second at one hub; beyond it upgrades are answered 429. Default
	// 0: no limit. Behind a gateway set trustedProxies in config too.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	ConnectsPerSecondPerAddress int32 `json:"connectsPerSecondPerAddress"`

	// MaxRooms is the number of rooms one hub holds at once. Default 100000. -1
	// holds any number.
	// +optional
	// +kubebuilder:default=100000
	// +kubebuilder:validation:Minimum=-1
	MaxRooms int32 `json:"maxRooms,omitempty"`

	// MaxRoomsPerClient is the number of rooms one client may be in at once.
	// Default 100. -1 allows any number.
	// +optional
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=-1
	MaxRoomsPerClient int32 `json:"maxRoomsPerClient,omitempty"`

	// MaxRoomsCreatedPerClient is the number of existing rooms one client may
	// have created. Default 10. -1 allows any number.
	// +optional
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=-1
	MaxRoomsCreatedPerClient int32 `json:"maxRoomsCreatedPerClient,omitempty"`
}

// Drain paces how a hub lets its clients go. The pods' grace period and the
// Deployment's deadline follow from it.
type Drain struct {
	// Delay is how long a hub still takes new clients after it stopped being
	// ready, so that load balancers notice first, such as "5s". Default 5s, at
	// most 10m. "0s" waits not at all.
	// +optional
	// +kubebuilder:default="5s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}(\\\\.[0-9]{1,3})?(ms|s|m|h))+$') && duration(self) <= duration('10m')",message="drain.delay must be a duration with a unit, such as 5s or 1m30s, of at most 10m"
	Delay *metav1.Duration `json:"delay,omitempty"`

	// Window is the time over which a hub sends its clients away, each in its own
	// slot, so that they do not all come back at once, such as "30s". Default
	// 30s, at most 6h; reckon a second for every 1,000 clients of a hub. "0s"
	// sends all away at once.
	// +optional
	// +kubebuilder:default="30s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}(\\\\.[0-9]{1,3})?(ms|s|m|h))+$') && duration(self) <= duration('6h')",message="drain.window must be a duration with a unit, such as 30s or 5m, of at most 6h"
	Window *metav1.Duration `json:"window,omitempty"`
}
