package chaos_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/api"
	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/test/chaos/history"
)

// size is how big a world is.
type size struct {
	hubs, brokers int
	clients       int           // that stay, of all roles
	publishEvery  time.Duration // of each publisher
	directEvery   int           // of a publisher's messages one is for a client; 0: 20
	slow          string        // what happens to clients that do not read
	settleWithin  time.Duration // how long the end may take; 0: patience
	tags          string        // of the hub's build
	environ       []string
}

// world is a cluster with its clients, and all that is recorded of them.
type world struct {
	t       testing.TB
	started time.Time
	issuer  *auth.Issuer
	bus     *bus
	hubs    []*hubProcess
	clients []*client
	rooms   []string // without a limit
	limited []string
	logs    string // folder of the hubs' logs

	publishEvery time.Duration
	directEvery  int
	settleWithin time.Duration
	storm        atomic.Bool

	active  context.Context // ends when the clients are to do nothing more
	quiet   context.CancelFunc
	alive   context.Context // ends when they are to go
	end     context.CancelFunc
	running sync.WaitGroup
	reading sync.WaitGroup
	closed  atomic.Bool // nothing more is recorded

	mu      sync.Mutex // guards all below
	history history.History
	counts  map[string]int
	names   map[string]string
}

// Rooms with names that mean something to buses, and are only names.
var plainRooms = []string{"plain.1", "plain.2", "plain.*", ">", "*", "a b", "plain", "Räume/ü"}

const (
	historyRooms = 4
	historySize  = 500
	limitedRooms = 2
	roomLimit    = 5
)

// rules are the room rules of all worlds.
const rules = `[{"pattern":"log.*","historySize":500,"create":true},{"pattern":"few.*","maxClients":5,"create":true},{"pattern":"*","create":true}]`

// newWorld starts a cluster. Its clients come with populate.
func newWorld(t testing.TB, kind string, s size) *world {
	t.Helper()
	issuer, err := auth.NewIssuer(auth.IssuerConfig{SecretKey: secret})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, started: time.Now(), issuer: issuer, publishEvery: s.publishEvery, directEvery: cmp.Or(s.directEvery, 20),
		settleWithin: cmp.Or(s.settleWithin, patience), logs: t.TempDir(),
		counts: make(map[string]int), names: make(map[string]string),
	}
	w.history.Start = w.started
	w.history.Rooms = make(map[string]history.Room)
	for i := range historyRooms {
		room := fmt.Sprint("log.", i)
		w.rooms = append(w.rooms, room)
		w.history.Rooms[room] = history.Room{History: true}
	}
	w.rooms = append(w.rooms, plainRooms...)
	for i := range limitedRooms {
		room := fmt.Sprint("few.", i)
		w.limited = append(w.limited, room)
		w.history.Rooms[room] = history.Room{Max: roomLimit}
	}
	w.active, w.quiet = context.WithCancel(context.Background())
	w.alive, w.end = context.WithCancel(context.Background())
	program := buildHub(t, s.tags)
	w.bus = newBus(t, kind, s.hubs, s.brokers)
	for i := range s.hubs {
		environ := append([]string{"GOHUB_ROOMS=" + rules, "GOHUB_SLOW_CONSUMER=" + s.slow, "GOHUB_SEND_QUEUE_BYTES=65536"}, w.bus.environ[i]...)
		w.hubs = append(w.hubs, newHub(t, fmt.Sprint("hub-", i), program, w.logs, append(environ, s.environ...)))
	}
	t.Cleanup(w.keep)
	t.Cleanup(w.stop)
	for _, h := range w.hubs {
		h.start(t)
	}
	for _, h := range w.hubs {
		h.await(t)
	}
	eventually(t, "the hubs know each other", w.acquainted)
	return w
}

// acquainted tells whether every hub knows all others.
func (w *world) acquainted() bool {
	for _, h := range w.hubs {
		var list api.NodeList
		if _, err := h.get(api.PathNodes, &list); err != nil || len(list.Nodes) != len(w.hubs) {
			return false
		}
		for _, n := range list.Nodes {
			if n.Silent || !n.Ready {
				return false
			}
		}
	}
	return true
}

// populate adds clients that take roles in turn, and callers of the admin API.
func (w *world) populate(n int, seed uint64, roles ...role) {
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range n {
		c := w.newClient(i, roles[i%len(roles)], seed)
		for range 3 + r.IntN(4) {
			c.want[w.rooms[r.IntN(len(w.rooms))]] = true
		}
		w.clients = append(w.clients, c)
	}
	for _, c := range w.clients {
		w.running.Go(func() { c.run(w.alive) })
	}
	for i := range 2 {
		r := rand.New(rand.NewPCG(seed, uint64(i)+100))
		w.running.Go(func() { w.callAdmin(i, r) })
	}
}

// callAdmin publishes through the admin API of any hub.
func (w *world) callAdmin(i int, r *rand.Rand) {
	for seq := uint64(1); w.active.Err() == nil; seq++ {
		if h := w.someHub(r); h != nil {
			room := w.rooms[r.IntN(len(w.rooms))]
			id := history.ID{Publisher: fmt.Sprintf("admin-%d at %s, run %d", i, h.name, h.runs.Load()), Seq: seq}
			p := history.Publish{ID: id, Node: h.name, Room: room, Begin: w.now(), Attempts: 1}
			var answer api.PublishResponse
			_, err := h.call("POST", api.PathPublish, map[string]any{"room": room, "content": newContent(id, room, "")}, &answer)
			p.End = w.now()
			p.Outcome, p.Scope, p.Position = outcomeOf(err), answer.Scope, answer.Position
			w.recordPublish(p)
		}
		pause(w.active, w.publishEvery)
	}
}

// settle stops what the clients do, and waits until they are where they want to
// be, and every hub says so.
func (w *world) settle() {
	w.quiet()
	end := time.Now().Add(w.settleWithin)
	for !w.converged() && time.Now().Before(end) {
		pause(w.alive, 200*time.Millisecond)
	}
}

// converged tells whether every client is in its rooms, and the hubs name them.
func (w *world) converged() bool {
	in := make(map[string][]string)
	for _, c := range w.clients {
		c.mu.Lock()
		ok := c.settled && c.conn != nil
		for room := range c.in {
			in[room] = append(in[room], c.id)
		}
		c.mu.Unlock()
		if !ok {
			return false
		}
	}
	for _, l := range w.lists() {
		slices.Sort(in[l.Room])
		if len(l.Missing) > 0 || !slices.Equal(slices.Sorted(slices.Values(l.Members)), in[l.Room]) {
			return false
		}
	}
	return true
}

// lists asks every hub for the members of every room.
func (w *world) lists() []history.MemberList {
	var all []history.MemberList
	for _, h := range w.hubs {
		for _, room := range slices.Concat(w.rooms, w.limited) {
			all = append(all, h.members(room))
		}
	}
	return all
}

func (h *hubProcess) members(room string) history.MemberList {
	l := history.MemberList{Node: h.name, Room: room}
	cursor := ""
	for {
		path := strings.ReplaceAll(api.PathMembers, "{id}", url.PathEscape(room)) + "?limit=1000&cursor=" + url.QueryEscape(cursor)
		var page api.Members
		if status, err := h.get(path, &page); err != nil {
			if status != 404 { // nobody is in it
				l.Missing = append(l.Missing, err.Error())
			}
			return l
		}
		l.Members = append(l.Members, page.Members...)
		l.Missing = append(l.Missing, page.MissingNodes...)
		if cursor = page.Cursor; cursor == "" {
			return l
		}
	}
}

// finish waits until whatever is owed is due, and returns the record.
func (w *world) finish() *history.History {
	w.settle()
	pause(w.alive, history.Patience)
	lists := w.lists()
	w.closed.Store(true)
	w.mu.Lock()
	w.history.End = w.now()
	w.history.Lists = lists
	w.mu.Unlock()
	w.stop()
	for _, c := range w.clients {
		c.quit()
	}
	return &w.history
}

// stop ends the clients.
func (w *world) stop() {
	w.quiet()
	w.end()
	w.running.Wait()
	w.reading.Wait()
}

// someHub returns a hub that takes connections, nil where none does.
func (w *world) someHub(r *rand.Rand) *hubProcess {
	up := slices.DeleteFunc(slices.Clone(w.hubs), func(h *hubProcess) bool { return !h.up.Load() })
	if len(up) == 0 {
		return nil
	}
	return up[r.IntN(len(up))]
}

func (w *world) isHistory(room string) bool { return w.history.Rooms[room].History }

func (w *world) now() time.Duration { return time.Since(w.started) }

func (w *world) record(s *history.Session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.history.Sessions = append(w.history.Sessions, s)
}

func (w *world) recordPublish(p history.Publish) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.history.Publishes = append(w.history.Publishes, p)
}

func (w *world) recordDirect(d history.Direct) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.history.Directs = append(w.history.Directs, d)
}

func (w *world) recordFault(f history.Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.history.Faults = append(w.history.Faults, f)
}

func (w *world) count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[what]++
}

// counted lists what clients have done, in order.
func (w *world) counted() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return list(w.counts)
}

func list(counts map[string]int) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, " %s %d", k, counts[k])
	}
	return strings.TrimSpace(b.String())
}

// intern returns one copy of a text that is recorded often.
func (w *world) intern(s string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if x, ok := w.names[s]; ok {
		return x
	}
	s = strings.Clone(s)
	w.names[s] = s
	return s
}

func (w *world) internID(id history.ID) history.ID {
	id.Publisher = w.intern(id.Publisher)
	return id
}
