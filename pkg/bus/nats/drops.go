package nats

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/chenxilol/gohub/pkg/bus"
)

const (
	// dropsInterval is the time between notices of drops.
	dropsInterval = 50 * time.Millisecond
	// maxNoticeSubjects is how many subjects a notice names before it says all.
	maxNoticeSubjects = 1000
)

// drops collects what was thrown away, for notices that name many subjects at
// once.
type drops struct {
	b     *Bus
	count atomic.Uint64

	mu        sync.Mutex // guards what follows
	scheduled bool
	subjects  map[string]struct{}
	// behind are the library's subscriptions that found the channel full, with
	// the messages each has dropped. The library tells of the first drop only.
	behind map[*nats.Subscription]int
}

// add counts a message of sub that was dropped.
func (d *drops) add(sub *subscription) {
	d.count.Add(1)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.subjects == nil {
		d.subjects = make(map[string]struct{})
	}
	d.subjects[sub.subject] = struct{}{}
	d.schedule()
}

// slow is told of a subscription of the library that drops messages.
func (d *drops) slow(sub *nats.Subscription) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.behind == nil {
		d.behind = make(map[*nats.Subscription]int)
	}
	if _, known := d.behind[sub]; !known {
		d.behind[sub] = 0
	}
	d.schedule()
}

func (d *drops) schedule() {
	if !d.scheduled {
		d.scheduled = true
		time.AfterFunc(dropsInterval, d.tell)
	}
}

// tell gives a notice of what was dropped since the last one.
func (d *drops) tell() {
	d.mu.Lock()
	subjects := d.subjects
	d.subjects, d.scheduled = nil, false
	if subjects == nil {
		subjects = make(map[string]struct{})
	}
	for sub, before := range d.behind {
		dropped, err := sub.Dropped()
		if err != nil || !sub.IsValid() {
			delete(d.behind, sub)
		}
		if err != nil || dropped == before {
			continue
		}
		if sub.IsValid() {
			d.behind[sub] = dropped
		}
		d.count.Add(uint64(dropped - before))
		if subject, ok := strings.CutPrefix(sub.Subject, d.b.names.listen); ok {
			subjects[subject] = struct{}{}
		}
		d.schedule() // until it drops no more
	}
	d.mu.Unlock()
	if len(subjects) == 0 {
		return
	}
	notice := bus.Notice{Kind: bus.Dropped, Err: nats.ErrSlowConsumer}
	if len(subjects) <= maxNoticeSubjects {
		notice.Subjects = slices.Collect(maps.Keys(subjects))
	}
	d.b.notices.give(notice)
}
