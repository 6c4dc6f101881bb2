package client

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"hash/maphash"
	"slices"
	"testing"
	"time"
)

func TestBackoffDelay(t *testing.T) {
	b := Backoff{Min: time.Second, Max: 10 * time.Second}
	for _, tc := range []struct {
		name     string
		verdict  verdict
		failures int
		most     time.Duration // with random nearly 1
	}{
		{"soon, first", verdict{}, 0, time.Second},
		{"soon, second", verdict{}, 1, 2 * time.Second},
		{"soon, fourth", verdict{}, 3, 8 * time.Second},
		{"soon, at the maximum", verdict{}, 4, 10 * time.Second},
		{"soon, for ever", verdict{}, 1 << 30, 10 * time.Second},
		{"at once", verdict{pace: paceNow}, 0, 0},
		{"at once, but it failed", verdict{pace: paceNow}, 1, 2 * time.Second},
		{"later", verdict{pace: paceLater}, 0, 8 * time.Second},
		{"retry after", verdict{retryAfter: time.Minute}, 0, 61 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := b.delay(tc.verdict, tc.failures, 0); got != tc.verdict.retryAfter {
				t.Errorf("at least %v", got)
			}
			if got := b.delay(tc.verdict, tc.failures, 1); got != tc.most {
				t.Errorf("at most %v, want %v", got, tc.most)
			}
		})
	}
	if got := (Backoff{Min: time.Second, Max: time.Second}).delay(verdict{}, 5, 1); got != time.Second {
		t.Errorf("with Min = Max: %v", got)
	}
}

func TestRenewalWait(t *testing.T) {
	for left, want := range map[time.Duration][2]time.Duration{
		time.Hour:        {59 * time.Minute, 58*time.Minute + 30*time.Second},
		10 * time.Second: {8 * time.Second, 7 * time.Second},
		0:                {0, 0},
	} {
		if got := [2]time.Duration{renewalWait(left, 0), renewalWait(left, 1)}; got != want {
			t.Errorf("%v: %v, want %v", left, got, want)
		}
	}
}

func TestTokenExpiry(t *testing.T) {
	token := func(payload string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
	}
	for name, tc := range map[string]struct {
		token string
		want  time.Time // zero: none
	}{
		"whole":      {token(`{"exp":1700000000}`), time.Unix(1700000000, 0)},
		"fraction":   {token(`{"exp":1700000000.5}`), time.Unix(1700000000, 5e8)},
		"none":       {token(`{"sub":"a"}`), time.Time{}},
		"null":       {token(`{"exp":null}`), time.Time{}},
		"text":       {token(`{"exp":"soon"}`), time.Time{}},
		"negative":   {token(`{"exp":-1}`), time.Time{}},
		"huge":       {token(`{"exp":1e300}`), time.Time{}},
		"no JSON":    {token(`exp`), time.Time{}},
		"no base64":  {"e30.!!!.c2ln", time.Time{}},
		"two parts":  {"e30.e30", time.Time{}},
		"no JWT":     {"secret", time.Time{}},
		"empty":      {"", time.Time{}},
		"four parts": {token(`{"exp":1}`) + ".x", time.Time{}},
	} {
		if got, ok := tokenExpiry(tc.token); !got.Equal(tc.want) || ok == tc.want.IsZero() {
			t.Errorf("%s: %v, %v", name, got, ok)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "5": 5 * time.Second, "-5": 0, "soon": 0, "4000000000": maxRetryAfter, "99999999999": 0,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:00:00 GMT": 0,
		"Fri, 02 Jan 2099 03:00:00 GMT": maxRetryAfter,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

// TestChainMemory: what a chain remembers is bounded, and what it remembers is
// what came last.
func TestChainMemory(t *testing.T) {
	seed := maphash.MakeSeed()
	var c chain
	c.start(position(0))
	for i := range 1000 {
		if kind, own := c.follow(seed, position(i+1), position(i)); kind != linkGood || own {
			t.Fatalf("message %d: %v, %v", i, kind, own)
		}
		c.sent(seed, position(10000+i))
	}
	if len(c.seen) != maxSeen || len(c.own) != maxOwn {
		t.Errorf("%d seen, %d own", len(c.seen), len(c.own))
	}
	if kind, _ := c.follow(seed, position(1000-maxSeen+1), position(1000-maxSeen)); kind != linkDuplicate {
		t.Errorf("the oldest remembered: %v", kind)
	}
	if kind, _ := c.follow(seed, position(10), position(9)); kind != linkBroken {
		t.Errorf("one forgotten: %v", kind)
	}
	c.sending = 1
	for i := range maxSuspects {
		if kind, _ := c.follow(seed, position(20000+2*i), position(20000+2*i-1)); kind != linkSuspect {
			t.Fatalf("suspect %d: %v", i, kind)
		}
	}
	if kind, _ := c.follow(seed, position(30000), position(29999)); kind != linkBroken {
		t.Errorf("one suspect too many: %v", kind)
	}
	if gaps := c.settled(); len(gaps) != maxSuspects {
		t.Errorf("%d gaps", len(gaps))
	}
}

func position(n int) string { return "e:" + time.Duration(n).String() }

// FuzzDecodeMessage: whatever comes, a message is what is encoded again.
func FuzzDecodeMessage(f *testing.F) {
	for _, seed := range []string{
		`{"message_type":"a","data":{"b":[1,2,null]},"timestamp":1789000000000,"message_id":0,"request_id":7}`,
		`{"message_type":"a"}`, `{"message_type":"a","data":null}`, `{"message_type":""}`, `{}`, `[]`, `null`, `"a"`, ``,
		`{"message_type":"a","message_id":9007199254740993}`, `{"message_type":"a","timestamp":-1}`, `{"message_type":"a","request_id":1.5}`,
		`{"message_type":"error","data":{"code":1000,"message":"m","details":{}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		kept := bytes.Clone(frame)
		m, ok := decodeMessage(frame)
		if !bytes.Equal(frame, kept) {
			t.Fatal("the frame was changed")
		}
		if !ok {
			return
		}
		if m.Type == "" || !json.Valid(m.Data) {
			t.Fatalf("%+v", m)
		}
		if (m.err() != nil) != (m.Type == typeError) {
			t.Fatalf("error of %+v", m)
		}
		for i := range frame { // nothing of the frame may be kept
			frame[i] = 'x'
		}
		encoded, err := encodeMessage(envelope{Type: m.Type, MessageID: m.MessageID, RequestID: m.RequestID}, m.Data)
		if err != nil {
			return // data that is not UTF-8
		}
		again, ok := decodeMessage(encoded)
		if !ok || again.Type != m.Type || again.MessageID != m.MessageID || again.RequestID != m.RequestID {
			t.Fatalf("%+v became %+v", m, again)
		}
	})
}

// FuzzReceive: no notice, good or bad, upsets a client.
func FuzzReceive(f *testing.F) {
	types := []string{
		typeRoomMessage, typeDirect, typeJoined, typeLeft, typeGap, typeReconnect, typeDegraded, typeRecovered,
		typeMemberJoined, typeMemberLeft, typeError, typePong, typeConnected, "own",
	}
	f.Add(0, []byte(`{"room_id":"r","content":1,"position":"2","prev":"1"}`))
	f.Add(4, []byte(`{"room":"r","to":"2","since_ms":-1}`))
	f.Add(5, []byte(`{"after_ms":9223372036854775807}`))
	f.Add(10, []byte(`{"code":1e99}`))
	f.Fuzz(func(t *testing.T, kind int, data []byte) {
		opts := Options{}
		if err := opts.complete(); err != nil {
			t.Fatal(err)
		}
		c := newClient(opts, nil)
		defer c.cancel()
		c.rooms["r"] = &room{name: "r", joined: true}
		w := newWire(&c.opts, "")
		w.over = true // no timers
		name := types[uint(kind)%uint(len(types))]
		if !json.Valid(data) {
			data = []byte("null")
		}
		c.receive(w, Message{Type: name, Data: data}, len(data))
		if !slices.Contains([]string{typeLeft, typeJoined}, name) && len(c.Rooms()) != 1 {
			t.Fatalf("%s %s: rooms %q", name, data, c.Rooms())
		}
	})
}
