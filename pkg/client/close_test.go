package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chenxilol/gohub/pkg/client"
)

// TestCloseCodes: every code of docs/protocol.md, and some that are not in it.
func TestCloseCodes(t *testing.T) {
	const never = -1
	soon, later := 500*time.Millisecond, 4*time.Second
	for code, within := range map[int]time.Duration{
		1000: never, 1001: soon, 1002: never, 1003: never, 1005: soon, 1007: never, 1008: never, 1009: never,
		1010: never, 1011: later, 1012: 0, 1013: later,
		4001: 0, 4003: never, 4008: soon, 4009: never, 4029: later,
		3000: never, 4000: never, 4999: never,
	} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var closed time.Time
				f := newFake(t, func(n int, w http.ResponseWriter, r *http.Request) {
					p := accept(t, w, r)
					if n == 0 {
						time.Sleep(time.Minute) // in the bubble; the connection is stable
						closed = time.Now()
						p.close(code, "why")
						return
					}
					p.idle()
				})
				seen, tokens := newRecord(), 0
				c := f.mustConnect(seen.options(client.Options{PingInterval: -1, Token: func(context.Context) (string, error) {
					tokens++
					return fmt.Sprintf("token %d", tokens), nil
				}}))
				if within == never {
					<-c.Done()
					wantClose(t, c.Err(), code)
					wantClose(t, await[client.Closed](t, seen, 0).Err, code)
					if _, err := c.Request(t.Context(), "ping", nil); !errors.Is(err, client.ErrClosed) {
						t.Errorf("request on an ended client: %v", err)
					} else {
						wantClose(t, err, code)
					}
					return
				}
				if e := await[client.Connected](t, seen, 1); !e.Again {
					t.Errorf("got %+v, want Again", e)
				}
				wantClose(t, await[client.Disconnected](t, seen, 0).Err, code)
				if took := f.dialled()[1].Sub(closed); took > within {
					t.Errorf("reconnected after %v, want %v at most", took, within)
				}
				if got := f.tokens()[1]; got != "Bearer token 2" {
					t.Errorf("reconnected with %q", got)
				}
			})
		})
	}
}

func wantClose(t *testing.T, err error, code int) {
	t.Helper()
	want := client.CloseError{Code: code, Reason: "why"}
	if code == 1005 {
		want.Reason = ""
	}
	if e, ok := errors.AsType[*client.CloseError](err); !ok || *e != want {
		t.Errorf("got %v, want %+v", err, want)
	}
}

// TestExpiredWithoutNewToken: 4001 ends a client whose token stays the same.
func TestExpiredWithoutNewToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, func(n int, w http.ResponseWriter, r *http.Request) {
			accept(t, w, r).close(4001, "why")
		})
		c := f.mustConnect(client.Options{Token: client.StaticToken("t")})
		<-c.Done()
		wantClose(t, c.Err(), 4001)
		if n := len(f.dialled()); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

// TestLost: a connection that ends without a close frame comes back, and the
// wait grows with what fails in a row, up to the maximum.
func TestLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const failures = 12
		f := newFake(t, func(n int, w http.ResponseWriter, r *http.Request) {
			switch {
			case n == 0:
				accept(t, w, r).drop()
			case n <= failures:
				w.WriteHeader(http.StatusBadGateway)
			default:
				accept(t, w, r).idle()
			}
		})
		seen := newRecord()
		backoff := client.Backoff{Min: time.Second, Max: 30 * time.Second}
		f.mustConnect(seen.options(client.Options{Backoff: backoff}))
		await[client.Connected](t, seen, 1)
		limit, total := backoff.Min, time.Duration(0)
		dials := f.dialled()
		for i := range failures {
			limit = min(2*limit, backoff.Max)
			e := await[client.Retrying](t, seen, i)
			if e.Attempt != i+2 || e.After >= limit || e.After != dials[i+2].Sub(dials[i+1]) {
				t.Errorf("attempt %d: %+v, limit %v", i, e, limit)
			}
			total += e.After
		}
		if total < 20*time.Second { // 6 to 8 waits of up to 30 s each
			t.Errorf("waited %v in all", total)
		}
		if e, ok := errors.AsType[*client.RefusedError](await[client.Retrying](t, seen, 0).Err); !ok || e.Status != 502 {
			t.Errorf("got %+v", await[client.Retrying](t, seen, 0))
		}
	})
}

// TestStable: failures count until a connection has lasted for a while.
func TestStable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const short = 10
		var lost []time.Time
		f := newFake(t, func(n int, w http.ResponseWriter, r *http.Request) {
			p := accept(t, w, r)
			switch {
			case n < short:
			case n == short:
				time.Sleep(time.Minute) // in the bubble
			default:
				p.idle()
				return
			}
			lost = append(lost, time.Now())
			p.drop()
		})
		seen := newRecord()
		f.mustConnect(seen.options(client.Options{PingInterval: -1, Backoff: client.Backoff{Min: time.Second, Max: time.Hour}}))
		await[client.Connected](t, seen, short+1)
		dials, most := f.dialled(), time.Duration(0)
		for n := range short {
			most = max(most, dials[n+1].Sub(lost[n]))
		}
		if most < 10*time.Second { // of waits of up to 128, 256 and 512 s
			t.Errorf("short connections came back after %v at most", most)
		}
		if took := dials[short+1].Sub(lost[short]); took > time.Second {
			t.Errorf("a stable one came back after %v", took)
		}
	})
}

// TestSlot: a client whose hub does not close it in its slot goes by itself.
func TestSlot(t *testing.T) {
	for name, tc := range map[string]struct {
		serve func(p *peer)
		after time.Duration
	}{
		"closed in the slot": {func(p *peer) {
			time.Sleep(5 * time.Second)
			p.close(1012, "restart")
		}, 5 * time.Second},
		"never closed":            {func(p *peer) { p.idle() }, 6 * time.Second},
		"closed before, restart":  {func(p *peer) { p.close(1012, "restart") }, 0},
		"closed long after, slot": {func(p *peer) { p.idle(); time.Sleep(time.Hour) }, 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				f := newFake(t, func(n int, w http.ResponseWriter, r *http.Request) {
					p := accept(t, w, r)
					if n == 0 {
						p.send("reconnect", fields{"after_ms": 5000}, 0)
						tc.serve(p)
						return
					}
					p.idle()
				})
				seen := newRecord()
				f.mustConnect(seen.options(client.Options{}))
				await[client.Connected](t, seen, 1)
				if told := await[client.Moving](t, seen, 0).At.Sub(begin); told != 5*time.Second {
					t.Errorf("told to go after %v, want 5s", told)
				}
				if took := f.dialled()[1].Sub(begin); took != tc.after {
					t.Errorf("reconnected after %v, want %v", took, tc.after)
				}
			})
		})
	}
}

// TestSilence: a hub that says nothing is asked, and given up.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, func(n int, w http.ResponseWriter, r *http.Request) {
			p := accept(t, w, r)
			if n == 0 { // answers one ping, then nothing any more
				p.ws.SetPingHandler(func(data string) error {
					p.ws.SetPingHandler(func(string) error { return nil })
					return p.ws.WriteControl(10, []byte(data), time.Now().Add(time.Second))
				})
			}
			p.idle()
		})
		seen := newRecord()
		f.mustConnect(seen.options(client.Options{PingInterval: 10 * time.Second}))
		await[client.Connected](t, seen, 1)
		d := f.dialled()
		if took := d[1].Sub(d[0]); took < 30*time.Second || took > 31*time.Second {
			t.Errorf("given up after %v", took)
		}
	})
}

// TestCloseHandshake: Close says goodbye, and does not wait long for a hub that
// does not.
func TestCloseHandshake(t *testing.T) {
	for name, answers := range map[string]bool{"answered": true, "not answered": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := make(chan error, 1)
				f := newFake(t, func(_ int, w http.ResponseWriter, r *http.Request) {
					p := accept(t, w, r)
					if !answers {
						p.ws.SetCloseHandler(func(int, string) error { return nil })
					}
					_, _, err := p.ws.ReadMessage()
					got <- err
					if answers {
						p.drop()
						return
					}
					time.Sleep(time.Minute)
					p.drop()
				})
				c := f.mustConnect(client.Options{})
				begin := time.Now()
				if err := c.Close(t.Context()); err != nil {
					t.Error(err)
				}
				want := map[bool]time.Duration{true: 0, false: 2 * time.Second}[answers]
				if took := time.Since(begin); took != want {
					t.Errorf("took %v, want %v", took, want)
				}
				if err := <-got; err == nil || err.Error() != "websocket: close 1000 (normal)" {
					t.Errorf("the hub saw %v", err)
				}
				<-c.Done()
				if err := c.Err(); err != client.ErrClosed {
					t.Errorf("Err: %v", err)
				}
			})
		})
	}
	t.Run("ctx", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(t, func(_ int, w http.ResponseWriter, r *http.Request) {
				p := accept(t, w, r)
				p.ws.SetCloseHandler(func(int, string) error { return nil })
				p.receive()
				time.Sleep(time.Minute)
				p.drop()
			})
			c := f.mustConnect(client.Options{})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := c.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	})
}

// TestCloseWhileAway: Close ends a client that is waiting to reconnect, and one
// that is in the midst of a handshake.
func TestCloseWhileAway(t *testing.T) {
	for name, serve := range map[string]func(w http.ResponseWriter, r *http.Request){
		"waiting":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
		"handshake": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t, func(n int, w http.ResponseWriter, r *http.Request) {
					if n == 0 {
						accept(t, w, r).drop()
						return
					}
					serve(w, r)
				})
				c := f.mustConnect(client.Options{})
				time.Sleep(3 * time.Second) // in the bubble
				waiting := make(chan error, 1)
				go func() {
					_, err := c.Request(t.Context(), "ping", nil)
					waiting <- err
				}()
				synctest.Wait()
				begin := time.Now()
				if err := c.Close(t.Context()); err != nil {
					t.Error(err)
				}
				if took := time.Since(begin); took != 0 {
					t.Errorf("took %v", took)
				}
				if err := <-waiting; !errors.Is(err, client.ErrClosed) {
					t.Errorf("call: %v", err)
				}
			})
		})
	}
}
