package server_test

import (
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/chenxilol/gohub/server"
)

// TestReadTimeout: a client that is silent is asked, and closed; one that
// answers stays.
func TestReadTimeout(t *testing.T) {
	t.Parallel()
	srv := start(t, server.Options{ReadTimeout: time.Second})
	begin := time.Now()
	silent, alive := upgradeBare(t, srv), upgradeBare(t, srv)
	for pings := 0; pings < 5; {
		op, _ := alive.frame()
		if op != opPing {
			t.Fatalf("frame %#x", op)
		}
		alive.send(frame(opPong, ""))
		pings++
	}
	if took := time.Since(begin); took < time.Second { // pings come every third of ReadTimeout
		t.Errorf("five pings in %v", took)
	}
	pings := 0
	for {
		op, payload := silent.frame()
		if op == opPing {
			pings++
			continue
		}
		if op != opClose || closeCode(payload) != websocket.CloseGoingAway {
			t.Errorf("frame %#x %q", op, payload)
		}
		break
	}
	if pings < 1 || pings > 3 {
		t.Errorf("a silent client was asked %d times", pings)
	}
	alive.send(frame(opText, `{"message_type":"ping","message_id":1}`))
	if m := alive.message(); m.RequestID != 1 {
		t.Errorf("%+v", m)
	}
}

func TestPingInterval(t *testing.T) {
	t.Parallel()
	t.Run("none", func(t *testing.T) {
		silent := upgradeBare(t, start(t, server.Options{PingInterval: -1, ReadTimeout: 600 * time.Millisecond}))
		begin := time.Now()
		if op, payload := silent.frame(); op != opClose || closeCode(payload) != websocket.CloseGoingAway {
			t.Errorf("frame %#x %q", op, payload)
		}
		if took := time.Since(begin); took < 500*time.Millisecond {
			t.Errorf("closed after %v", took)
		}
	})
	t.Run("without read timeout", func(t *testing.T) {
		const interval = 100 * time.Millisecond
		silent := upgradeBare(t, start(t, server.Options{PingInterval: interval, ReadTimeout: -1}))
		begin := time.Now()
		for range 5 {
			if op, _ := silent.frame(); op != opPing {
				t.Fatalf("frame %#x", op)
			}
		}
		if took := time.Since(begin); took < 4*interval {
			t.Errorf("five pings in %v", took)
		}
		silent.send(frame(opText, `{"message_type":"ping","message_id":1}`))
		for op := byte(opPing); op != opText; op, _ = silent.frame() {
			continue
		}
	})
}

// TestWriteTimeout: a client that takes nothing for so long is sent away,
// though its queue has no bound.
func TestWriteTimeout(t *testing.T) {
	t.Parallel()
	const limit = 300 * time.Millisecond
	srv := start(t, server.Options{WriteTimeout: limit, SendQueueBytes: -1})
	stuck, quick := upgradeBare(t, srv), srv.Dial(t)
	stuck.join("r")
	quick.Join("r")
	begin := time.Now()
	publishUntil(t, srv, quick, func() bool { // no more than can be read within the two seconds after the close frame
		return srv.Stats().QueuedBytes > 512<<10 || srv.SDK().GetClientCount() == 1
	})
	wantClients(t, srv, 1)
	if took := time.Since(begin); took < limit/2 {
		t.Errorf("closed after %v", took)
	}
	stuck.wantTooSlow()
	quick.Silent()
}
