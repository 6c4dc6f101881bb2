package nats

import (
	"context"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// config is the stream as it should be.
func (l *stream) config(epoch string) jetstream.StreamConfig {
	h, in := l.b.o.History, l.b.names.in+epoch+".>"
	c := jetstream.StreamConfig{
		Name:              l.name,
		Description:       "GoHub: the history of rooms",
		Subjects:          []string{in},
		Retention:         jetstream.LimitsPolicy,
		Discard:           jetstream.DiscardOld,
		MaxMsgsPerSubject: int64(h.Size),
		Storage:           storage(l.b.cfg),
		Replicas:          l.b.cfg.JetStream.Replicas,
		Duplicates:        duplicates,
		AllowDirect:       true,
		AllowMsgTTL:       true,
		RePublish:         &jetstream.RePublish{Source: in, Destination: l.b.names.out + epoch + ".>"},
	}
	if h.Size == 0 {
		c.MaxMsgsPerSubject = -1
	}
	if h.TTL > 0 {
		c.MaxAge = max(h.TTL, duplicates) // JetStream wants it; entries have their own
	}
	return c
}

func storage(c Config) jetstream.StorageType {
	if c.JetStream.Storage == "memory" {
		return jetstream.MemoryStorage
	}
	return jetstream.FileStorage
}

// epochOf returns the epoch in a stream's subjects, "" if there is none.
func (l *stream) epochOf(c jetstream.StreamConfig) string {
	if len(c.Subjects) != 1 {
		return ""
	}
	name, ok := strings.CutPrefix(c.Subjects[0], l.b.names.in)
	name, all := strings.CutSuffix(name, ".>")
	if !ok || !all || strings.Contains(name, ".") {
		return ""
	}
	return name
}

// adapt changes a stream to what is configured. Its storage cannot be changed.
func (l *stream) adapt(ctx context.Context, js jetstream.JetStream, is jetstream.StreamConfig) error {
	should := l.config(l.epochOf(is))
	if is.MaxMsgsPerSubject == should.MaxMsgsPerSubject && is.MaxAge == should.MaxAge && is.Replicas == should.Replicas &&
		is.Duplicates == should.Duplicates && is.AllowDirect && is.AllowMsgTTL && is.RePublish != nil && *is.RePublish == *should.RePublish {
		return nil
	}
	should.Storage = is.Storage
	if _, err := js.UpdateStream(ctx, should); err != nil {
		return fmt.Errorf("change stream %q to what is configured: %w", l.name, err)
	}
	l.b.log.Info("changed the stream to what is configured", "stream", l.name)
	return nil
}
