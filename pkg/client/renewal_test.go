package client_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chenxilol/gohub/pkg/client"
	"github.com/chenxilol/gohub/pkg/hub"
)

// unsigned returns a token that expires in a while, as far as a client can see.
func unsigned(n int, ttl time.Duration) string {
	payload := fmt.Sprintf(`{"n":%d,"exp":%d}`, n, time.Now().Add(ttl).Unix())
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

// TestRenewal: a token is replaced in place before it expires, again and again.
func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ttl = 10 * time.Minute
		tokens := newRecord()
		type renewal struct {
			token string
			at    time.Time
		}
		renewals := make(chan renewal, 3)
		f := newFake(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			p := accept(t, w, r)
			for {
				m, ok := p.receive()
				if !ok {
					p.drop()
					return
				}
				var data struct{ Token string }
				if err := json.Unmarshal(m.Data, &data); err != nil {
					t.Error(err)
				}
				p.send("authenticated", fields{"client_id": "me"}, m.MessageID)
				renewals <- renewal{data.Token, time.Now()}
			}
		})
		f.mustConnect(client.Options{Token: func(context.Context) (string, error) {
			token := unsigned(len(tokens.list()), ttl)
			tokens.add(token)
			return token, nil
		}})
		last := time.Now()
		for n := 1; n <= 3; n++ {
			r := <-renewals
			if took := r.at.Sub(last); took < ttl-91*time.Second || took > ttl-time.Minute {
				t.Errorf("renewal %d after %v", n, took)
			}
			if r.token != tokens.list()[n] {
				t.Errorf("renewal %d with %q", n, r.token)
			}
			last = r.at
		}
		if n := len(f.dialled()); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

// TestRenewedTokenExpires: the token that was renewed in place is the one that
// is used up when the hub says so.
func TestRenewedTokenExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ttl = 100 * time.Second
		f := newFake(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			p := accept(t, w, r)
			id, _ := p.expect("authenticate")
			p.send("authenticated", fields{"client_id": "me"}, id)
			p.close(4001, "why")
		})
		first, renewed, n := unsigned(1, ttl), unsigned(2, 2*ttl), 0
		c := f.mustConnect(client.Options{PingInterval: -1, Token: func(context.Context) (string, error) {
			if n++; n == 1 {
				return first, nil
			}
			return renewed, nil
		}})
		<-c.Done()
		wantClose(t, c.Err(), 4001)
		if n := len(f.dialled()); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

// TestRenewalFails: it is told and tried again; when the hub ends the
// connection at last, a new token makes the next one.
func TestRenewalFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ttl = 100 * time.Second
		broken := errors.New("away")
		f := newFake(t, func(n int, w http.ResponseWriter, r *http.Request) {
			p := accept(t, w, r)
			if n > 0 {
				p.idle()
				return
			}
			go func() {
				id, _ := p.expect("authenticate")
				p.send("error", fields{"code": 2003, "message": "for another id"}, id)
				p.idle()
			}()
			time.Sleep(ttl)
			_ = p.ws.WriteControl(8, []byte{0x0f, 0xa1}, time.Now().Add(time.Second)) // 4001
		})
		seen, n := newRecord(), 0
		f.mustConnect(seen.options(client.Options{PingInterval: -1, Token: func(context.Context) (string, error) {
			switch n++; n {
			case 1:
				return unsigned(1, ttl), nil
			case 2:
				return "", broken
			case 4:
				return "", broken // so that the token does expire
			default:
				return unsigned(n, ttl), nil
			}
		}}))
		await[client.Connected](t, seen, 1)
		if e := await[client.RenewalFailed](t, seen, 0); !errors.Is(e.Err, broken) {
			t.Errorf("first: %v", e.Err)
		}
		if e := await[client.RenewalFailed](t, seen, 1); !errors.Is(e.Err, &hub.Error{Code: 2003}) {
			t.Errorf("second: %v", e.Err)
		}
		if d := f.dialled(); d[1].Sub(d[0]) != ttl {
			t.Errorf("reconnected after %v", d[1].Sub(d[0]))
		}
	})
}
