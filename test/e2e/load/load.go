// Package load is the clients of a cluster of hubs, many of them, that publish
// at a steady pace, and the record of all that they were told. It knows nothing
// of how the hubs are run: whoever does to them what they must bear says so with
// Fault, and Stop judges.
//
// Every client uses package pkg/client, so it reconnects, resumes and repeats as
// an application's does. What they saw is judged by test/chaos/history.
package load

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chenxilol/gohub/test/chaos/history"
)

// Options say what a load is.
type Options struct {
	Address string // of the hubs, as pkg/client takes it
	Clients int    // at the start
	Members int    // of each room; clients that are added come on top
	Rate    int    // publishes a second, of all clients together
	Name    string // begins the names of rooms and the ids of clients
	// Token returns a token for a client id. It may be called at any time, by
	// many goroutines.
	Token func(id string) (string, error)
}

// Load is a load under way. Its methods are safe for concurrent use, but for
// Publish and Stop, which are called once.
type Load struct {
	o       Options
	start   time.Time
	ctx     context.Context
	cancel  context.CancelFunc
	rooms   []string
	joining chan struct{} // holds one element for each client that is joining
	started time.Duration // when publishing began
	stopped time.Duration // and ended
	running sync.WaitGroup
	rest    atomic.Bool // nothing is recorded any more

	mu        sync.Mutex // guards all below
	members   []*member  // there now
	ever      []*member  // by number
	sessions  []*history.Session
	publishes []history.Publish
	faults    []history.Fault
	tally     tally
}

// How many clients connect at the same time: as many as a busy machine answers
// within the time they wait.
const joinAtOnce = 64

// Start returns a load whose clients are connected and in their rooms. They say
// nothing until Publish. The load ends with ctx or Stop.
func Start(ctx context.Context, o Options) (*Load, error) {
	l := &Load{o: o, start: time.Now(), joining: make(chan struct{}, joinAtOnce), tally: newTally()}
	l.ctx, l.cancel = context.WithCancel(ctx)
	for i := range max(1, o.Clients/max(1, o.Members)) {
		l.rooms = append(l.rooms, o.Name+".room-"+strconv.Itoa(i))
	}
	if err := l.Add(o.Clients); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// Add has further clients connect and join, and waits until they have.
func (l *Load) Add(n int) error {
	l.mu.Lock()
	begin := len(l.ever)
	for number := begin; number < begin+n; number++ {
		l.ever = append(l.ever, newMember(l, number, l.rooms[number%len(l.rooms)]))
	}
	added := l.ever[begin:]
	l.members = append(l.members, added...)
	l.mu.Unlock()
	errs := make(chan error, n)
	for _, m := range added {
		go func() {
			l.joining <- struct{}{}
			errs <- m.enter(l.ctx)
			<-l.joining
		}()
	}
	var all error
	for range added {
		if err := <-errs; err != nil && all == nil {
			all = err
		}
	}
	if all != nil {
		return fmt.Errorf("add %d clients: %w", n, all)
	}
	return nil
}

// Remove has the clients that came first, but for those that publish, leave for
// good.
func (l *Load) Remove(n int) {
	l.mu.Lock()
	first := min(publishersOfRoom*len(l.rooms), len(l.members))
	leaving := slices.Clone(l.members[first:min(first+n, len(l.members))])
	l.members = slices.Concat(l.members[:first], l.members[first+len(leaving):])
	l.mu.Unlock()
	for _, m := range leaving {
		m.note(history.Event{Kind: history.Hangup})
		m.finish()
	}
	closeAll(leaving)
}

// Held returns how many connections each hub has, by its name.
func (l *Load) Held() map[string]int {
	held := map[string]int{}
	for _, m := range l.all() {
		if m.client != nil && m.client.Connected() {
			held[m.client.Node()]++
		}
	}
	return held
}

// Now is the time of the record.
func (l *Load) Now() time.Duration { return time.Since(l.start) }

// At is a time of the wall clock in that of the record.
func (l *Load) At(t time.Time) time.Duration { return t.Sub(l.start) }

// Fault records what was done to the hubs, in the record's time.
func (l *Load) Fault(f history.Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = append(l.faults, f)
}

func (l *Load) all() []*member {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]*member(nil), l.members...)
}

// publishersOfRoom is how many of a room's clients publish: more than one, so
// that a room is not silent while one of them moves.
const publishersOfRoom = 2

// Publish has the first clients of each room publish, in turn, at the pace asked
// for. What could not be published in time, as its client was on its way from a
// hub to another, follows as soon as it can.
func (l *Load) Publish() {
	publishers := l.all()
	publishers = publishers[:min(len(publishers), publishersOfRoom*len(l.rooms))]
	for _, m := range publishers {
		l.running.Go(m.publish)
	}
	l.started = l.Now()
	l.running.Go(func() {
		ticks := time.NewTicker(10 * time.Millisecond)
		defer ticks.Stop()
		for sent := 0; ; {
			select {
			case <-l.ctx.Done():
				return
			case <-ticks.C:
			}
			if l.rest.Load() {
				return
			}
			for due := int((l.Now() - l.started).Seconds() * float64(l.o.Rate)); sent < due; sent++ {
				publishers[sent%len(publishers)].due.Add(1)
				publishers[sent%len(publishers)].wake()
			}
		}
	})
}

// settle is how long nothing is published before the end: as long as a message
// may be on its way.
const settle = history.Patience + time.Second

// Stop ends the publishing, waits until what is on its way has arrived, closes
// all clients and judges. Its error says that it did not come to rest.
func (l *Load) Stop() (*Report, error) {
	defer l.cancel()
	l.stopped = l.Now()
	l.rest.Store(true)
	for _, m := range l.all() {
		m.wake()
	}
	if err := l.quiesce(); err != nil {
		return nil, err
	}
	members := l.all()
	h := &history.History{Start: l.start, End: l.Now(), Rooms: map[string]history.Room{}}
	for _, m := range members {
		m.finish()
	}
	closeAll(members)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, room := range l.rooms {
		h.Rooms[room] = history.Room{History: true}
	}
	h.Sessions, h.Publishes, h.Faults = l.sessions, l.publishes, l.faults
	return newReport(h, l.tally, window{l.started, l.stopped}), nil
}

// quiesce waits until all publishes have an answer, all clients are connected,
// and what was sent has had its time.
func (l *Load) quiesce() error {
	const patience = 2 * time.Minute
	done := make(chan struct{})
	go func() { l.running.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		return fmt.Errorf("publishes without an answer %v after the last one", patience)
	}
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		away := l.away()
		if away == "" {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("client %s is not connected %v after the end", away, patience)
		}
	}
	time.Sleep(settle)
	return nil
}

// away is a client that is on its way to a hub; those that have ended, which the
// report tells of, are not.
func (l *Load) away() string {
	for _, m := range l.all() {
		if !m.client.Connected() && m.client.Err() == nil {
			return m.id
		}
	}
	return ""
}

// Close gives everything up. It does nothing behind Stop.
func (l *Load) Close() {
	l.rest.Store(true)
	l.cancel()
	closeAll(l.all())
}

func closeAll(members []*member) {
	var closing sync.WaitGroup
	for _, m := range members {
		if m.client == nil {
			continue
		}
		closing.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			_ = m.client.Close(ctx) // cut off then
			<-m.client.Done()
		})
	}
	closing.Wait()
}
