package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/chenxilol/gohub/pkg/bus"
)

const (
	// tailsBatch is how many tails are asked for at once; the server allows 1,024.
	tailsBatch = 500
	// answerBytes bounds the answer to one question, so that it does not make
	// this node a slow consumer.
	answerBytes = 8 << 20
	// replicaPause is between two questions when the replica that answered lags
	// behind the leader.
	replicaPause = 2 * time.Millisecond
)

// errLagging says that a replica does not have yet what the leader has.
var errLagging = errors.New("a replica lags behind")

// errNotFound says that a stream lacks what must be in it.
var errNotFound = errors.New("the log is not intact")

// directGet is a request for stored messages (nats-server, JSApiMsgGetRequest).
type directGet struct {
	Seq       uint64   `json:"seq,omitempty"`
	NextFor   string   `json:"next_by_subj,omitempty"`
	Batch     int      `json:"batch,omitempty"`
	MaxBytes  int      `json:"max_bytes,omitempty"`
	MultiLast []string `json:"multi_last,omitempty"`
	UpToSeq   uint64   `json:"up_to_seq,omitempty"`
}

// get has some replica answer a request for several messages. The last message
// it returns closes the answer; it is nil when nothing was found.
func (l *eventLog) get(ctx context.Context, s *session, request directGet) (found []*nats.Msg, end *nats.Msg, err error) {
	request.MaxBytes = answerBytes
	data, err := json.Marshal(request)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	m := &nats.Msg{Subject: "$JS.API.DIRECT.GET." + l.stream.name, Data: data}
	answers, err := s.do(ctx, m, func(m *nats.Msg) bool { return m.Header.Get(statusHeader) != "" })
	if err != nil {
		return nil, nil, err
	}
	found, end = answers[:len(answers)-1], answers[len(answers)-1]
	switch status := end.Header.Get(statusHeader); status {
	case statusNotFound:
		return nil, nil, nil
	case statusEnd:
	default:
		return nil, nil, fmt.Errorf("JetStream: status %s %s", status, end.Header.Get("Description"))
	}
	// Each names the one before it, so that a lost one is found.
	prev := uint64(0)
	for _, m := range answers {
		if number(m, prevHeader) != prev {
			return nil, nil, errLagging
		}
		prev = number(m, seqHeader)
	}
	return found, end, nil
}

// retry calls f until it succeeds, ctx ends, or the connection is gone.
func (l *eventLog) retry(ctx context.Context, what string, f func(context.Context, *epoch, *session) error) error {
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		s, err := l.b.connection()
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		e, err := l.stream.current(ctx)
		if err == nil {
			err = f(ctx, e, s)
		}
		switch {
		case err == nil:
			return nil
		case errors.Is(err, bus.ErrClosed):
			return fmt.Errorf("%s: %w", what, err)
		case ctx.Err() != nil:
			return fmt.Errorf("%s: %w: %v", what, ctx.Err(), err)
		case errors.Is(err, errLagging):
			pause = replicaPause / 2
		case errors.Is(err, errNotFound), errors.Is(err, errNoResponders):
			l.stream.forget(e)
		}
		sleep(ctx, pause)
	}
}

// Delete removes the entries of a log: see [bus.Log]. Sequence numbers go on.
func (l *eventLog) Delete(ctx context.Context, subject string) error {
	if err := bus.CheckSubject(subject); err != nil {
		return err
	}
	return l.retry(ctx, "delete the log", func(ctx context.Context, e *epoch, s *session) error {
		var answer struct {
			Error *apiError `json:"error"`
		}
		err := s.ask(ctx, "$JS.API.STREAM.PURGE."+l.stream.name, map[string]string{"filter": e.in + subject}, &answer)
		if err == nil && answer.Error != nil {
			return answer.Error
		}
		return err
	})
}

// Read returns entries of a log and its tail: see [bus.Log]. It sees every entry
// whose append has been acknowledged. Prev of the first entry is 0 unless the
// entry before it is kept.
func (l *eventLog) Read(ctx context.Context, subject string, after uint64, limit int) ([]bus.Entry, bus.Tail, error) {
	if err := bus.CheckSubject(subject); err != nil {
		return nil, bus.Tail{}, err
	}
	var entries []bus.Entry
	var tail bus.Tail
	err := l.retry(ctx, "read the log", func(ctx context.Context, e *epoch, s *session) error {
		tails, err := l.tails(ctx, e, s, []string{subject})
		if err != nil {
			return err
		}
		tail = tails[0]
		entries, err = l.entries(ctx, e, s, subject, after, tail.Offset, limit)
		return err
	})
	if err != nil {
		return nil, bus.Tail{}, err
	}
	return entries, tail, nil
}

// entries returns up to limit entries behind an offset and not behind another.
func (l *eventLog) entries(ctx context.Context, e *epoch, s *session, subject string, after, upTo uint64, limit int) ([]bus.Entry, error) {
	var entries []bus.Entry
	// It begins with the entry at after, if that is kept: it is the Prev of the
	// one behind it.
	prev, from := uint64(0), max(after, 1)
	for from <= upTo && len(entries) < limit {
		found, end, err := l.get(ctx, s, directGet{Seq: from, NextFor: e.in + subject, Batch: limit - len(entries) + 1})
		if err != nil {
			return nil, err
		}
		if end == nil {
			if len(entries) == 0 && after >= upTo {
				return nil, nil
			}
			// The tail is gone since it was looked up, or not at this replica yet.
			return nil, errLagging
		}
		for _, m := range found {
			seq := number(m, seqHeader)
			if seq > upTo || len(entries) == limit {
				return entries, nil
			}
			if seq > after {
				place := bus.Place{Epoch: e.name, Offset: seq, Prev: prev}
				entries = append(entries, bus.Entry{Place: place, Payload: m.Data[:len(m.Data):len(m.Data)]})
			}
			prev, from = seq, seq+1
		}
	}
	return entries, nil
}

// Tails returns the tails of logs: see [bus.Log].
func (l *eventLog) Tails(ctx context.Context, subjects []string) ([]bus.Tail, error) {
	for _, subject := range subjects {
		if err := bus.CheckSubject(subject); err != nil {
			return nil, err
		}
	}
	if len(subjects) == 0 {
		return nil, nil
	}
	var tails []bus.Tail
	err := l.retry(ctx, "read tails of logs", func(ctx context.Context, e *epoch, s *session) error {
		var err error
		tails, err = l.tails(ctx, e, s, subjects)
		return err
	})
	if err != nil {
		return nil, err
	}
	return tails, nil
}

// tails returns the tails of the logs of an epoch.
func (l *eventLog) tails(ctx context.Context, e *epoch, s *session, subjects []string) ([]bus.Tail, error) {
	newest := e.newest.Load()
	floor := newest
	if e.replicas > 1 {
		last, err := l.fence(ctx, s)
		if err != nil {
			return nil, err
		}
		floor = max(floor, last)
		if last < newest {
			return nil, errNotFound
		}
	}
	offsets := make(map[string]uint64, len(subjects))
	for begin := 0; begin < len(subjects); begin += tailsBatch {
		part := subjects[begin:min(begin+tailsBatch, len(subjects))]
		if err := l.lasts(ctx, e, s, part, floor, offsets); err != nil {
			return nil, err
		}
	}
	tails := make([]bus.Tail, len(subjects))
	for i, subject := range subjects {
		tails[i] = bus.Tail{Epoch: e.name, Offset: offsets[e.in+subject]}
	}
	return tails, nil
}

// lasts looks up the newest entry of each subject, by its name in the stream,
// and makes sure of the entry that holds the epoch. The answer must know at
// least the sequence number floor.
func (l *eventLog) lasts(ctx context.Context, e *epoch, s *session, subjects []string, floor uint64, offsets map[string]uint64) error {
	request := directGet{MultiLast: []string{e.in + epochSubject}}
	for _, subject := range subjects {
		request.MultiLast = append(request.MultiLast, e.in+subject)
	}
	intact := false
	for {
		found, end, err := l.get(ctx, s, request)
		if err != nil {
			return err
		}
		if end == nil {
			return errNotFound
		}
		upTo := number(end, upToHeader)
		switch {
		case upTo >= floor:
		case e.replicas > 1:
			return errLagging
		default:
			return errNotFound
		}
		for _, m := range found {
			subject := m.Header.Get(subjectHeader)
			if subject == e.in+epochSubject {
				intact = string(m.Data) == e.name
				continue
			}
			offsets[subject] = number(m, seqHeader)
		}
		if number(end, pendingHeader) == 0 || len(found) == 0 {
			break
		}
		// The answer had as many bytes as it may: the rest, at the same moment.
		request.Seq, request.UpToSeq, floor = number(end, prevHeader)+1, upTo, 0
	}
	if !intact {
		return errNotFound
	}
	return nil
}

// fence returns the last sequence number of the stream's leader, which is asked
// after fence is called. What any replica answers must reach up to it.
func (l *eventLog) fence(ctx context.Context, s *session) (uint64, error) {
	r := l.fences.join(l.b.tasks.run, func() (uint64, error) {
		// The context is that of all who wait.
		return s.lastSeq(l.b.life, l.stream.name)
	})
	if r == nil {
		return 0, bus.ErrClosed
	}
	return r.wait(ctx)
}

// prev returns the offset of the entry before one that is stored, 0 if there is
// none or it is not kept any more.
func (l *eventLog) prev(ctx context.Context, e *epoch, subject string, seq uint64) (uint64, error) {
	var prev uint64
	err := l.retry(ctx, "look up the entry before", func(ctx context.Context, now *epoch, s *session) error {
		if now.name != e.name {
			prev = 0
			return nil
		}
		found, _, err := l.get(ctx, s, directGet{MultiLast: []string{e.in + subject}, UpToSeq: seq - 1})
		if err != nil {
			return err
		}
		prev = 0
		if len(found) > 0 {
			prev = number(found[0], seqHeader)
		}
		if e.replicas == 1 {
			return nil
		}
		// This replica may lag behind. One that has both next to each other,
		// whichever answers, has nothing in between.
		found, end, err := l.get(ctx, s, directGet{Seq: max(prev, 1), NextFor: e.in + subject, Batch: 2})
		if err != nil || end == nil {
			return errors.Join(err, errLagging)
		}
		if number(found[0], seqHeader) == prev {
			found = found[1:]
		} else {
			prev = 0 // newer ones have pushed it out meanwhile
		}
		if len(found) == 0 || number(found[0], seqHeader) < seq {
			return errLagging
		}
		return nil
	})
	return prev, err
}
