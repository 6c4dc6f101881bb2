package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chenxilol/gohub/pkg/client"
	"github.com/chenxilol/gohub/pkg/hub"
)

// refuse answers a handshake as a hub does.
func refuse(w http.ResponseWriter, status, code int) {
	w.Header().Set("Retry-After", "30")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"code":%d,"message":"no"}`, code)
}

// TestRefusals: what each status means to a client that was connected, and to
// one that was not.
func TestRefusals(t *testing.T) {
	for status, again := range map[int]bool{
		400: false, 401: true, 403: false, 404: false, 405: false, 408: true, 409: true, 426: false,
		429: true, 500: true, 502: true, 503: true, 504: true, 505: false, 301: false,
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t, func(n int, w http.ResponseWriter, r *http.Request) {
					switch n {
					case 0:
						accept(t, w, r).drop()
					case 1:
						refuse(w, status, 2003)
					default:
						accept(t, w, r).idle()
					}
				})
				seen, n := newRecord(), 0
				c := f.mustConnect(seen.options(client.Options{Token: func(context.Context) (string, error) {
					n++
					return fmt.Sprint(n), nil
				}}))
				if !again {
					<-c.Done()
					wantRefused(t, c.Err(), status)
					return
				}
				await[client.Connected](t, seen, 1)
				wantRefused(t, await[client.Retrying](t, seen, 0).Err, status)
				if d := f.dialled(); d[2].Sub(d[1]) < 30*time.Second || d[2].Sub(d[1]) > 31*time.Second {
					t.Errorf("came again after %v, want as Retry-After says", d[2].Sub(d[1]))
				}
			})
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t, func(_ int, w http.ResponseWriter, _ *http.Request) { refuse(w, status, 2003) })
				_, err := f.connect(client.Options{})
				wantRefused(t, err, status)
			})
		})
	}
}

func wantRefused(t *testing.T, err error, status int) {
	t.Helper()
	e, ok := errors.AsType[*client.RefusedError](err)
	if !ok || e.Status != status || e.RetryAfter != 30*time.Second || !errors.Is(err, &hub.Error{Code: 2003}) {
		t.Errorf("got %+v, want status %d with the hub's error", err, status)
	}
}

// TestUnauthorized: a token that was refused is not sent again, and new ones not
// for ever.
func TestUnauthorized(t *testing.T) {
	for name, tc := range map[string]struct {
		token func(n int) string
		dials int
	}{
		"same token": {func(int) string { return "t" }, 2},
		"new tokens": {func(n int) string { return fmt.Sprint("t", n) }, 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t, func(n int, w http.ResponseWriter, r *http.Request) {
					if n == 0 {
						accept(t, w, r).drop()
						return
					}
					refuse(w, 401, 2003)
				})
				n := 0
				c := f.mustConnect(client.Options{Token: func(context.Context) (string, error) {
					n++
					return tc.token(n), nil
				}})
				<-c.Done()
				wantRefused(t, c.Err(), 401)
				if got := len(f.dialled()); got != tc.dials {
					t.Errorf("%d handshakes, want %d", got, tc.dials)
				}
			})
		})
	}
}

// TestConflict: an id that stays taken for longer than the hub needs to notice
// a dead connection is somebody else's.
func TestConflict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 0 {
				accept(t, w, r).drop()
				return
			}
			refuse(w, 409, 2003)
		})
		begin := time.Now()
		c := f.mustConnect(client.Options{})
		<-c.Done()
		wantRefused(t, c.Err(), 409)
		if took := time.Since(begin); took < 90*time.Second || took > 130*time.Second { // one and a half read timeouts, and a wait
			t.Errorf("gave up after %v", took)
		}
	})
}

// TestTokenFails: a client that cannot get a token goes on asking.
func TestTokenFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("the token service is away")
		f := newFake(t, func(n int, w http.ResponseWriter, r *http.Request) {
			p := accept(t, w, r)
			if n == 0 {
				p.drop()
				return
			}
			p.idle()
		})
		seen, n := newRecord(), 0
		f.mustConnect(seen.options(client.Options{Token: func(context.Context) (string, error) {
			if n++; n > 1 && n < 5 {
				return "", broken
			}
			return "t", nil
		}}))
		await[client.Connected](t, seen, 1)
		if e := await[client.Retrying](t, seen, 2); !errors.Is(e.Err, broken) {
			t.Errorf("got %+v", e)
		}
		if _, err := f.connect(client.Options{Token: func(context.Context) (string, error) { return "", broken }}); !errors.Is(err, broken) {
			t.Errorf("Dial: %v", err)
		}
	})
}

// TestRetryDial: Dial waits for a hub where it is told to.
func TestRetryDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, func(n int, w http.ResponseWriter, r *http.Request) {
			if n < 3 {
				refuse(w, 503, 1003)
				return
			}
			accept(t, w, r).idle()
		})
		f.mustConnect(client.Options{RetryDial: true})
		if n := len(f.dialled()); n != 4 {
			t.Errorf("%d handshakes", n)
		}
	})
	t.Run("ctx", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(t, func(_ int, w http.ResponseWriter, _ *http.Request) { refuse(w, 503, 2003) })
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := client.Dial(ctx, "ws://hub.test/ws", client.Options{RetryDial: true, DialContext: f.dial})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			wantRefused(t, err, 503)
		})
	})
}

// TestNoHub: other servers are told apart, and slow ones given up.
func TestNoHub(t *testing.T) {
	for name, tc := range map[string]struct {
		serve func(t *testing.T, w http.ResponseWriter, r *http.Request)
		want  error
	}{
		"no subprotocol": {func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Sec-WebSocket-Protocol")
			p := accept(t, w, r)
			p.idle()
		}, client.ErrNotHub},
		"other message first": {func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			p := acceptBare(t, w, r)
			p.send("hello", nil, 0)
			p.idle()
		}, client.ErrNotHub},
		"no JSON first": {func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			p := acceptBare(t, w, r)
			_ = p.ws.WriteMessage(1, []byte("hello"))
			p.idle()
		}, client.ErrNotHub},
		"no message": {func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			acceptBare(t, w, r).idle()
		}, context.DeadlineExceeded},
		"no answer": {func(_ *testing.T, _ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}, context.DeadlineExceeded},
		"closed first": {func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			acceptBare(t, w, r).close(4009, "why")
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t, func(_ int, w http.ResponseWriter, r *http.Request) { tc.serve(t, w, r) })
				begin := time.Now()
				_, err := f.connect(client.Options{HandshakeTimeout: time.Second})
				if tc.want == nil {
					wantClose(t, err, 4009)
				} else if !errors.Is(err, tc.want) {
					t.Errorf("got %v, want %v", err, tc.want)
				}
				if took := time.Since(begin); took > time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// TestOptions: what makes no sense is named.
func TestOptions(t *testing.T) {
	for want, tc := range map[string]struct {
		address string
		opts    client.Options
	}{
		"scheme":           {"ftp://hub.test", client.Options{}},
		"host":             {"ws:///ws", client.Options{}},
		"no URL":           {"ws://hub.test/%zz?token=secret", client.Options{}},
		"user":             {"ws://me:secret@hub.test", client.Options{}},
		"HandshakeTimeout": {"ws://hub.test", client.Options{HandshakeTimeout: -1}},
		"WriteTimeout":     {"ws://hub.test", client.Options{WriteTimeout: -1}},
		"Backoff.Min":      {"ws://hub.test", client.Options{Backoff: client.Backoff{Min: -1}}},
		"Backoff.Max":      {"ws://hub.test", client.Options{Backoff: client.Backoff{Min: 2, Max: 1}}},
		"MaxMessageSize":   {"ws://hub.test", client.Options{MaxMessageSize: -1}},
		"MaxPending":       {"ws://hub.test", client.Options{MaxPending: -1}},
		"InboxBytes":       {"ws://hub.test", client.Options{InboxBytes: -1}},
	} {
		_, err := client.Dial(t.Context(), tc.address, tc.opts)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestAlternatives: a client goes on to the next hub.
func TestAlternatives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hosts []string
		f := newFake(t, func(n int, w http.ResponseWriter, r *http.Request) {
			hosts = append(hosts, r.Host+" "+r.URL.RawQuery)
			switch n {
			case 0:
				w.WriteHeader(503)
			case 1:
				accept(t, w, r).drop()
			default:
				accept(t, w, r).idle()
			}
		})
		seen := newRecord()
		f.mustConnect(seen.options(client.Options{Alternatives: []string{"ws://b.test/?x=1"}, ClientID: "a b"}))
		await[client.Connected](t, seen, 1)
		if got, want := strings.Join(hosts, ", "), "hub.test client_id=a+b, b.test client_id=a+b&x=1, hub.test client_id=a+b"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}
