package config

// NATS says how to reach a NATS server or cluster. One way of signing in may
// be set: Username and Password, Token, CredentialsFile or NKeyFile.
type NATS struct {
	// URLs are the servers to try, each as nats://host:port, tls://host:port,
	// ws://..., wss://... or host:port.
	URLs []string `json:"urls" secret:"url"`

	// Name is the connection's name in the server's monitoring.
	Name string `json:"name"`

	// Prefix begins the names of all subjects and streams, so that several
	// clusters of hubs can share a server: the hubs of one cluster have the
	// same, no other has it. 1 to 64 letters, digits, "-" and "_".
	Prefix string `json:"prefix"`

	// ReconnectWait is the pause between two attempts to reach the same server.
	ReconnectWait Duration `json:"reconnectWait"`

	// MaxReconnects is the number of failed attempts for each server after
	// which the hub gives up for good. Zero or negative never gives up.
	MaxReconnects int `json:"maxReconnects" negative:"unlimited"`

	// Username signs in together with Password.
	Username string `json:"username"`

	// Password is the password of Username.
	Password string `json:"password" secret:"true"`

	// Token signs in with a shared token.
	Token string `json:"token" secret:"true"`

	// CredentialsFile is the path of a .creds file with a user JWT and its
	// nkey seed.
	CredentialsFile string `json:"credentialsFile"`

	// NKeyFile is the path of a file with an nkey seed.
	NKeyFile string `json:"nkeyFile"`

	// TLS sets how the server is verified and the hub identified. The tls://
	// scheme turns TLS on as well.
	TLS ClientTLS `json:"tls"`

	// JetStream sets whether and how the server keeps the history of rooms.
	JetStream JetStream `json:"jetStream"`
}

// JetStream sets whether and how a NATS server keeps the history of rooms. It
// must be the same on all hubs, and needs nats-server 2.11 with JetStream.
type JetStream struct {
	// Enable has the server keep the history of rooms, and vouch for hubs where
	// servers are cut off from each other. Without it rooms with a history keep
	// it in the memory of each hub.
	Enable bool `json:"enable"`

	// Replicas is the number of servers that keep each message: 1, or 3 or 5 of
	// a cluster that has as many.
	Replicas int `json:"replicas" max:"5"`

	// Storage is where the servers keep messages: "file" or "memory". It cannot
	// be changed for a stream that exists.
	Storage string `json:"storage" enum:"file,memory"`
}

// Redis says how to reach Redis. Addr alone is one server; MasterName makes
// the addresses those of Sentinels; several addresses without it are a Redis
// Cluster.
type Redis struct {
	// Addr is the server's host:port. Use either Addr or Addrs.
	Addr string `json:"addr"`

	// Addrs are several host:port: the Sentinels where MasterName is set, else
	// nodes of a Redis Cluster.
	Addrs []string `json:"addrs"`

	// MasterName is the name of the master the Sentinels watch.
	MasterName string `json:"masterName"`

	// Username signs in together with Password. Empty is the default user.
	Username string `json:"username"`

	// Password is the password of Username, or of the default user.
	Password string `json:"password" secret:"true"`

	// SentinelUsername signs in to the Sentinels together with
	// SentinelPassword. Empty is their default user.
	SentinelUsername string `json:"sentinelUsername"`

	// SentinelPassword is the password of the Sentinels themselves, where they
	// ask for one.
	SentinelPassword string `json:"sentinelPassword" secret:"true"`

	// DB is the number of the database. A Redis Cluster has only 0.
	DB int `json:"db"`

	// Prefix begins the names of all keys and channels, as in "{gohub:17}:...",
	// so that several clusters of hubs can share a server: the hubs of one
	// cluster have the same, no other has it in the same DB. 1 to 64 letters,
	// digits, "-" and "_".
	Prefix string `json:"prefix"`

	// TLS sets how the server is verified and the hub identified.
	TLS ClientTLS `json:"tls"`
}

// Embedded says how hubs with NATS servers inside them form one mesh. Username
// and Password must be the same on all of them; without them and TLS every
// peer that reaches ClusterAddress joins the mesh.
type Embedded struct {
	// ClusterAddress is the host:port on which other hubs reach this one.
	ClusterAddress string `json:"clusterAddress"`

	// Routes are the other hubs' ClusterAddress, each as host:port. A name with
	// several addresses, such as a headless Service, stands for all of them,
	// and the hub itself may be among them.
	Routes []string `json:"routes"`

	// Username is what hubs sign in with at each other, with Password.
	Username string `json:"username"`

	// Password is the password of Username.
	Password string `json:"password" secret:"true"`

	// TLS secures the mesh. Each hub is server and client, so it needs CertFile
	// and KeyFile, and CAFile to verify its peers.
	TLS ClientTLS `json:"tls"`
}

// ClientTLS sets TLS on a connection to the bus. Setting any of its files
// turns TLS on.
type ClientTLS struct {
	// Enable turns TLS on without any of the files, with the system's
	// authorities.
	Enable bool `json:"enable"`

	// CAFile is the path of the authorities, in PEM form, that verify the other
	// side. Empty means those of the system.
	CAFile string `json:"caFile"`

	// CertFile is the path of the hub's own certificate in PEM form. It needs
	// KeyFile.
	CertFile string `json:"certFile"`

	// KeyFile is the path of the key of CertFile. It needs CertFile.
	KeyFile string `json:"keyFile"`

	// ServerName is the name the other side's certificate must carry. Empty
	// means the host that was dialed.
	ServerName string `json:"serverName"`
}

// Enabled reports whether the connection is to use TLS.
func (t ClientTLS) Enabled() bool {
	return t.Enable || t.CAFile != "" || t.CertFile != "" || t.KeyFile != ""
}
