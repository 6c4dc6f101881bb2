package room

import (
	"container/list"
	"time"
)

// dedupWindow is how long an idempotency key is remembered, as JetStream's
// duplicate window does.
const dedupWindow = 2 * time.Minute

// How many keys a room remembers: of each client, so that one does not push
// out another's, and of all of them.
const (
	dedupClientKeys = 1024
	dedupRoomKeys   = 16 * dedupClientKeys
)

// Key is an idempotency key. The same text of another client is another key.
type Key struct {
	Client string // "": the program itself
	Text   string // "": none
}

// dedup remembers the idempotency keys of a room's last messages.
type dedup struct {
	clients map[string]*list.Element
	recent  *list.List // of *clientKeys: whose last key is the oldest comes first
	keys    int        // of all clients
}

// clientKeys is what a client used, never empty.
type clientKeys struct {
	client    string
	positions map[string]string
	order     []usedKey // oldest first
}

type usedKey struct {
	text string
	at   time.Time
}

func newDedup() *dedup { return &dedup{clients: make(map[string]*list.Element), recent: list.New()} }

// look tells whether key was used within the window, and with what result.
func (d *dedup) look(key Key, now time.Time) (position string, seen bool) {
	for first := d.recent.Front(); first != nil && first.Value.(*clientKeys).expired(now); first = d.recent.Front() {
		d.forgetOldest(first)
	}
	e := d.clients[key.Client]
	if e == nil {
		return "", false
	}
	c := e.Value.(*clientKeys)
	for c.expired(now) {
		d.forgetOldest(e)
	}
	position, seen = c.positions[key.Text]
	return position, seen
}

// add remembers a key that look has not seen.
func (d *dedup) add(key Key, position string, now time.Time) {
	e := d.clients[key.Client]
	switch {
	case e != nil && len(e.Value.(*clientKeys).order) == dedupClientKeys:
		d.forgetOldest(e)
	case d.keys == dedupRoomKeys:
		d.forgetOldest(d.recent.Front())
	}
	if e = d.clients[key.Client]; e == nil {
		e = d.recent.PushBack(&clientKeys{client: key.Client, positions: make(map[string]string)})
		d.clients[key.Client] = e
	}
	c := e.Value.(*clientKeys)
	c.positions[key.Text] = position
	c.order = append(c.order, usedKey{key.Text, now})
	d.keys++
	d.recent.MoveToBack(e)
}

// forgetOldest forgets the oldest key of a client, and with its last one the
// client.
func (d *dedup) forgetOldest(e *list.Element) {
	c := e.Value.(*clientKeys)
	delete(c.positions, c.order[0].text)
	c.order = c.order[1:]
	d.keys--
	if len(c.order) == 0 {
		d.recent.Remove(e)
		delete(d.clients, c.client)
	}
}

// expired tells whether the client's oldest key is out of the window.
func (c *clientKeys) expired(now time.Time) bool {
	return len(c.order) > 0 && now.Sub(c.order[0].at) > dedupWindow
}
