// Package redis connects hubs through Redis 7 or a server that does as it does:
// one server, one watched by Sentinels, or a Redis Cluster, which is found out by
// asking.
//
// Messages go through PUBLISH, in a Redis Cluster through SPUBLISH: there each
// subject belongs to one of 128 partitions with a hash tag of its own, which keeps
// it with one Redis node and its subscribers. Redis confirms a subscription when
// it is in force, so there is no moment in which a message is missed; what a lost
// connection or a slot that moves may have lost is told with a notice.
//
// # Keys and channels
//
// All begin with "{prefix:N}:", or "{prefix/DB:N}:" in another database than 0,
// where N is the partition, 0 to 127:
//
//	SUBJECT        channel of a subject
//	s:SUBJECT      stream: the entries of its log
//	c:SUBJECT      hash: epoch and newest offset of its log
//	i:SUBJECT:ID   place of an append, for two minutes
//	n:NODE         lease of a node
//
// A stream lives as long as the retention's TTL behind its last entry, a counter
// a day longer: who comes back later finds another epoch. Without a TTL both stay
// for good. Each append costs about 200 bytes for the two minutes that its id is
// known.
//
// # What an append means
//
// The answer of Redis promises as much as its configuration: with "appendfsync
// always" it is on disk, by default it may take a second to be there. Where there
// are replicas, at least one has it: WAIT 1 is behind every append and lease. A
// master that takes writes although all its replicas are cut off can be told not
// to by "min-replicas-to-write 1"; without it those that only the old master took
// before Sentinel noticed are lost, as unknown outcomes. After a restart or a
// failover offsets go on far behind those known, so that no offset stands for two
// entries.
//
// # Rights
//
// A user for hubs needs, for the default prefix:
//
//	~{gohub* &{gohub* +@connection +@pubsub +@scripting +@hash +@stream +@string
//	+@keyspace +time +wait +info +client|kill +cluster|info +cluster|slots
package redis
