package natsserver

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// AwaitJetStream waits until JetStream answers at each of the servers, and where
// they are a cluster has a leader and all of them as its members. Options say how
// to sign in.
func AwaitJetStream(t testing.TB, servers []*Server, options ...nats.Option) {
	t.Helper()
	end := time.Now().Add(patience)
	for _, s := range servers {
		for {
			err := jetStreamAnswers(s, options)
			if err == nil {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("no JetStream at nats-server %s: %v:\n%s", s.name, err, s.log())
			}
			<-time.After(50 * time.Millisecond)
		}
	}
}

func jetStreamAnswers(s *Server, options []nats.Option) error {
	nc, err := nats.Connect(s.URL(), options...)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err = js.AccountInfo(ctx)
	return err
}
