package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/chenxilol/gohub/pkg/bus"
)

const (
	// epochSubject is where a stream keeps its epoch. It is no subject of package
	// bus.
	epochSubject = "$epoch"
	// duplicates is how long an append may be tried again.
	duplicates = 2 * time.Minute
	// lookupTimeout is how long one look for the stream may take.
	lookupTimeout = 10 * time.Second
	// A stream without its epoch is asked again before it gets another: one that
	// is this young may be in the making by another node.
	youngStream  = 10 * time.Second
	youngPause   = 200 * time.Millisecond
	youngRetries = 15
	oldPause     = 500 * time.Millisecond
)

// epoch is one life of the stream: what is known of it.
type epoch struct {
	name     string
	in       string // what the subjects of its entries begin with
	replicas int
	maxAge   time.Duration // of entries; 0: no limit
	// newest is the highest sequence number that is known to have been stored.
	newest atomic.Uint64
}

func (e *epoch) note(seq uint64) {
	for newest := e.newest.Load(); seq > newest; newest = e.newest.Load() {
		if e.newest.CompareAndSwap(newest, seq) {
			return
		}
	}
}

// stream finds the stream of the log, makes it, and gives it another epoch when
// it has lost its data.
type stream struct {
	b       *Bus
	name    string
	lookups rounds[*epoch]
	failing atomic.Bool // the last lookup failed, and the log says so

	mu    sync.Mutex // guards what follows
	last  *epoch     // nil before the first lookup
	valid bool       // last need not be looked up again
}

func newStream(b *Bus) *stream { return &stream{b: b, name: b.cfg.Prefix + "-log"} }

// current returns the epoch in force, which it looks up if need be.
func (l *stream) current(ctx context.Context) (*epoch, error) {
	l.mu.Lock()
	e, valid := l.last, l.valid
	l.mu.Unlock()
	if valid {
		return e, nil
	}
	r := l.lookups.join(l.b.tasks.run, l.lookup)
	if r == nil {
		return nil, bus.ErrClosed
	}
	return r.wait(ctx)
}

// connected has the stream looked up on a new connection: the server may have
// come back without its data.
func (l *stream) connected() {
	l.mu.Lock()
	l.valid = false
	l.mu.Unlock()
	l.lookups.join(l.b.tasks.run, l.lookup)
}

// forget has e looked up again before it is used.
func (l *stream) forget(e *epoch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == e {
		l.valid = false
	}
}

// note is told of a live copy.
func (l *stream) note(p bus.Place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.last == nil:
	case l.last.name == p.Epoch:
		l.last.note(p.Offset)
	default:
		l.valid = false
	}
}

// lookup makes sure of the stream.
func (l *stream) lookup() (*epoch, error) {
	l.mu.Lock()
	last, valid := l.last, l.valid
	l.mu.Unlock()
	if valid { // somebody else's lookup was just in time
		return last, nil
	}
	s, err := l.b.connection()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(l.b.life, lookupTimeout)
	defer cancel()
	e, err := l.ensure(ctx, s, last)
	if err != nil {
		if l.b.ready.Load() == s && !l.failing.Swap(true) {
			l.b.log.Error("no history in JetStream", "stream", l.name, "error", err)
		}
		return nil, fmt.Errorf("%w: %w", bus.ErrRefused, err)
	}
	l.failing.Store(false)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last, l.valid = e, l.b.ready.Load() == s
	return e, nil
}

// ensure finds or makes the stream and returns its epoch; last is what was known
// of it before, nil at first.
func (l *stream) ensure(ctx context.Context, s *session, last *epoch) (*epoch, error) {
	js, err := jetstream.New(s.nc)
	if err != nil {
		return nil, err
	}
	for {
		e, err := l.ensureOnce(ctx, s, js, last)
		switch {
		case err == nil:
			return e, nil
		case errors.Is(err, jetstream.ErrStreamNameAlreadyInUse), errors.Is(err, errNoResponders):
			// Another node was faster: what it made is ours as well.
			sleep(ctx, minPause)
		default:
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, err
		}
	}
}

func (l *stream) ensureOnce(ctx context.Context, s *session, js jetstream.JetStream, last *epoch) (*epoch, error) {
	found, err := js.Stream(ctx, l.name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		name := newEpoch()
		if _, err := js.CreateStream(ctx, l.config(name)); err != nil {
			return nil, fmt.Errorf("make stream %q: %w", l.name, err)
		}
		return l.begin(ctx, s, name)
	}
	if err != nil {
		return nil, fmt.Errorf("look for stream %q: %w", l.name, err)
	}
	info := found.CachedInfo()
	name := l.epochOf(info.Config)
	if name == "" {
		return nil, fmt.Errorf("stream %q has subjects %q: another program's", l.name, info.Config.Subjects)
	}
	e := l.epoch(name)
	if last != nil && last.name == name {
		e.note(last.newest.Load())
	}
	intact, err := l.intact(ctx, s, info, e)
	if err != nil {
		return nil, err
	}
	if !intact {
		return l.renew(ctx, s, js, found)
	}
	if err := l.adapt(ctx, js, info.Config); err != nil {
		return nil, err
	}
	e.replicas = max(e.replicas, info.Config.Replicas)
	return e, nil
}

func (l *stream) epoch(name string) *epoch {
	c := l.config(name)
	return &epoch{name: name, in: l.b.names.in + name + ".", replicas: c.Replicas, maxAge: c.MaxAge}
}

// newEpoch draws a name. It begins with a letter, as noEpoch does not.
func newEpoch() string { return "e" + strings.ToLower(nuid.Next()) }

// begin writes the epoch into a stream that has none.
func (l *stream) begin(ctx context.Context, s *session, name string) (*epoch, error) {
	e := l.epoch(name)
	m := nats.NewMsg(e.in + epochSubject)
	m.Data = []byte(name)
	m.Header[ttlHeader] = []string{"never"}
	m.Header[idHeader] = []string{name}
	answers, err := s.do(ctx, m, nil)
	if err != nil {
		return nil, fmt.Errorf("begin stream %q: %w", l.name, err)
	}
	var ack pubAck
	if err := json.Unmarshal(answers[0].Data, &ack); err != nil {
		return nil, fmt.Errorf("begin stream %q: %w", l.name, err)
	}
	if ack.Error != nil {
		return nil, fmt.Errorf("begin stream %q: %w", l.name, ack.Error)
	}
	e.note(ack.Seq)
	return e, nil
}

// intact asks the leader whether a stream still has what it must have.
func (l *stream) intact(ctx context.Context, s *session, info *jetstream.StreamInfo, e *epoch) (bool, error) {
	retries, pause := 1, oldPause
	if info.TimeStamp.Sub(info.Created) < youngStream {
		retries, pause = youngRetries, youngPause
	}
	for try := 0; ; try++ {
		ok, err := l.holds(ctx, s, e)
		if ok || err != nil || try == retries {
			return ok, err
		}
		sleep(ctx, pause)
	}
}

// holds says whether a stream has its epoch, and everything that is known to
// have been stored.
func (l *stream) holds(ctx context.Context, s *session, e *epoch) (bool, error) {
	var stored storedMsg
	request := map[string]string{"last_by_subj": e.in + epochSubject}
	if err := s.ask(ctx, "$JS.API.STREAM.MSG.GET."+l.name, request, &stored); err != nil {
		return false, err
	}
	if stored.Error != nil && stored.Error.Code != 404 {
		return false, stored.Error
	}
	if stored.Error != nil || stored.Message == nil || string(stored.Message.Data) != e.name {
		return false, nil
	}
	newest := e.newest.Load()
	last, err := s.lastSeq(ctx, l.name)
	return last >= newest, err
}

// renew gives a stream that has lost data another epoch. Of several nodes that
// do so at once the last one wins, and the others find nobody in theirs.
func (l *stream) renew(ctx context.Context, s *session, js jetstream.JetStream, found jetstream.Stream) (*epoch, error) {
	old := found.CachedInfo().Config
	name := newEpoch()
	l.b.log.Warn("the history of rooms is lost or incomplete in JetStream; it begins anew", "stream", l.name, "epoch", name)
	c := l.config(name)
	c.Storage = old.Storage
	if _, err := js.UpdateStream(ctx, c); err != nil {
		return nil, fmt.Errorf("begin stream %q anew: %w", l.name, err)
	}
	e, err := l.begin(ctx, s, name)
	if err != nil {
		return nil, err
	}
	if err := found.Purge(ctx, jetstream.WithPurgeSubject(old.Subjects[0])); err != nil {
		return nil, fmt.Errorf("remove what is left in stream %q: %w", l.name, err)
	}
	return e, nil
}
