package hub

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// clientShards spreads the table of clients over several locks, so that
// connecting does not wait for looking up.
const clientShards = 64

// clients finds sessions by client id. Sessions with the same id form a list,
// the newest first.
type clients struct {
	seed   maphash.Seed
	count  atomic.Int64
	shards [clientShards]clientShard
}

type clientShard struct {
	mu       sync.RWMutex // guards sessions, and sameID of the sessions in it
	sessions map[string]*Session
}

func (c *clients) init() {
	c.seed = maphash.MakeSeed()
	for i := range c.shards {
		c.shards[i].sessions = make(map[string]*Session)
	}
}

func (c *clients) shard(id string) *clientShard {
	return &c.shards[maphash.String(c.seed, id)%clientShards]
}

// add puts s first among those with its id, unless it must be the only one
// and is not; it returns the others.
func (c *clients) add(s *Session, only bool) (others []*Session, ok bool) {
	shard := c.shard(s.id)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	old := shard.sessions[s.id]
	if old != nil && only {
		return nil, false
	}
	for o := old; o != nil; o = o.sameID {
		others = append(others, o)
	}
	s.sameID = old
	shard.sessions[s.id] = s
	c.count.Add(1)
	return others, true
}

// remove takes s out; it does nothing for a session that is not in the table.
func (c *clients) remove(s *Session) {
	shard := c.shard(s.id)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	first := shard.sessions[s.id]
	if first == s {
		if s.sameID == nil {
			delete(shard.sessions, s.id)
		} else {
			shard.sessions[s.id] = s.sameID
		}
		c.count.Add(-1)
		return
	}
	for o := first; o != nil; o = o.sameID {
		if o.sameID == s {
			o.sameID = s.sameID
			c.count.Add(-1)
			return
		}
	}
}

// get returns the newest session with that id, nil if there is none.
func (c *clients) get(id string) *Session {
	shard := c.shard(id)
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	return shard.sessions[id]
}

// every returns all sessions with that id, the newest first.
func (c *clients) every(id string) []*Session {
	shard := c.shard(id)
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	var all []*Session
	for s := shard.sessions[id]; s != nil; s = s.sameID {
		all = append(all, s)
	}
	return all
}

// all returns every session.
func (c *clients) all() []*Session {
	all := make([]*Session, 0, c.count.Load())
	for i := range c.shards {
		shard := &c.shards[i]
		shard.mu.RLock()
		for _, s := range shard.sessions {
			for ; s != nil; s = s.sameID {
				all = append(all, s)
			}
		}
		shard.mu.RUnlock()
	}
	return all
}
