package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chenxilol/gohub/pkg/client"
	"github.com/chenxilol/gohub/pkg/hub"
)

// scripted connects a client, in a bubble, to a hub that serves the n-th
// connection by the n-th script, and joins it to room "r".
func scripted(t *testing.T, check func(t *testing.T, c *client.Client, seen *record), scripts ...func(p *peer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, func(n int, w http.ResponseWriter, r *http.Request) {
			p := accept(t, w, r)
			if n >= len(scripts) {
				t.Errorf("connection %d is one too many", n)
				p.drop()
				return
			}
			scripts[n](p)
			p.idle()
		})
		seen := newRecord()
		c := f.mustConnect(seen.options(client.Options{}))
		if _, err := c.Join(t.Context(), "r", client.JoinOptions{}); err != nil {
			t.Error(err)
			return
		}
		check(t, c, seen)
	})
}

// wantMessages checks which messages were delivered, by their positions.
func wantMessages(t *testing.T, r *record, want ...string) {
	t.Helper()
	if len(want) > 0 {
		await[client.RoomMessage](t, r, len(want)-1)
	}
	synctest.Wait()
	var got []string
	for _, m := range only[client.RoomMessage](r.list()) {
		got = append(got, m.Position)
	}
	if !slices.Equal(got, want) {
		t.Errorf("delivered %q, want %q", got, want)
	}
}

func TestResume(t *testing.T) {
	for _, recovered := range []bool{true, false} {
		t.Run(fmt.Sprint(recovered), func(t *testing.T) {
			var since any
			scripted(t, func(t *testing.T, c *client.Client, seen *record) {
				r := await[client.Rejoined](t, seen, 0)
				if want := (client.Rejoined{Room: "r", Position: "4", Recovered: recovered}); r != want {
					t.Errorf("got %+v, want %+v", r, want)
				}
				wantMessages(t, seen, "1", "2", map[bool]string{true: "3", false: "5"}[recovered])
				if since != "2" {
					t.Errorf("since %q, want the last position seen", since)
				}
				if n := count[client.Gap](seen); n > 0 {
					t.Errorf("gaps in %+v", seen.list())
				}
				if got := c.Rooms(); !slices.Equal(got, []string{"r"}) {
					t.Errorf("rooms %q", got)
				}
				all := seen.list() // the resumption is told before what follows from it
				if i, j := slices.IndexFunc(all, isA[client.Rejoined]), slices.IndexFunc(all, func(v any) bool {
					m, ok := v.(client.RoomMessage)
					return ok && m.Position > "2"
				}); i > j {
					t.Errorf("order: %+v", all)
				}
			}, func(p *peer) {
				p.joined(fields{"position": "0"})
				p.message("1", "0")
				p.message("2", "1")
				p.drop()
			}, func(p *peer) {
				since = p.joined(fields{"position": "4", "recovered": recovered})
				if recovered {
					p.message("3", "2")
				} else {
					p.message("5", "4")
				}
			})
		})
	}
}

func isA[T any](v any) bool {
	_, ok := v.(T)
	return ok
}

// TestChain: what comes twice is dropped, what is missing is told.
func TestChain(t *testing.T) {
	for name, tc := range map[string]struct {
		script     func(p *peer)
		delivered  []string
		gaps       []client.Gap
		duplicates int
	}{
		"in order": {func(p *peer) { p.message("1", "0"); p.message("2", "1") }, []string{"1", "2"}, nil, 0},
		"missing": {
			func(p *peer) { p.message("1", "0"); p.message("3", "2"); p.message("4", "3") }, []string{"1", "3", "4"},
			[]client.Gap{{Room: "r", From: "1", To: "2", Reason: client.ReasonChain}}, 0,
		},
		"first missing": {
			func(p *peer) { p.message("2", "1") }, []string{"2"},
			[]client.Gap{{Room: "r", From: "0", To: "1", Reason: client.ReasonChain}}, 0,
		},
		"twice":            {func(p *peer) { p.message("1", "0"); p.message("1", "0"); p.message("2", "1") }, []string{"1", "2"}, nil, 1},
		"twice, later":     {func(p *peer) { p.message("1", "0"); p.message("2", "1"); p.message("1", "0") }, []string{"1", "2"}, nil, 1},
		"without position": {func(p *peer) { p.message("", ""); p.message("", "") }, []string{"", ""}, nil, 0},
		"told by the hub": {
			func(p *peer) {
				p.message("1", "0")
				p.send("gap", fields{"room": "r", "from": "1", "since_ms": 1789000000000, "reason": "slow"}, 0)
				p.message("5", "4")
				p.message("6", "5")
			},
			[]string{"1", "5", "6"},
			[]client.Gap{{Room: "r", From: "1", Since: time.UnixMilli(1789000000000), Reason: "slow"}}, 0,
		},
		"told, and again missing": {
			func(p *peer) {
				p.send("gap", fields{"room": "r", "to": "3", "reason": "bus"}, 0)
				p.message("4", "3")
				p.message("6", "5")
			},
			[]string{"4", "6"},
			[]client.Gap{{Room: "r", To: "3", Reason: "bus"}, {Room: "r", From: "4", To: "5", Reason: client.ReasonChain}}, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			scripted(t, func(t *testing.T, _ *client.Client, seen *record) {
				wantMessages(t, seen, tc.delivered...)
				if got := only[client.Gap](seen.list()); !slices.Equal(got, tc.gaps) {
					t.Errorf("gaps %+v, want %+v", got, tc.gaps)
				}
				if n := count[client.Duplicate](seen); n != tc.duplicates {
					t.Errorf("%d duplicates told", n)
				}
			}, func(p *peer) {
				p.joined(fields{"position": "0"})
				tc.script(p)
			})
		})
	}
}

// TestOwnPositions: messages of the client's own, of which it gets the position
// only, make no gap, before or behind the message that follows on them.
func TestOwnPositions(t *testing.T) {
	for name, tc := range map[string]struct {
		script func(p *peer, id int64)
		gaps   int
	}{
		"answer first": {func(p *peer, id int64) {
			p.send("room_message_sent", fields{"room_id": "r", "position": "1", "scope": "cluster"}, id)
			p.message("2", "1")
		}, 0},
		"answer behind": {func(p *peer, id int64) {
			p.message("2", "1")
			p.send("room_message_sent", fields{"room_id": "r", "position": "1", "scope": "cluster"}, id)
		}, 0},
		"other messages between": {func(p *peer, id int64) {
			p.send("room_message_sent", fields{"room_id": "r", "position": "3", "scope": "cluster"}, id)
			p.message("2", "0")
			p.message("4", "3")
		}, 0},
		"not the reason": {func(p *peer, id int64) {
			p.message("2", "1")
			p.send("room_message_sent", fields{"room_id": "r", "position": "3", "scope": "cluster"}, id)
			p.message("4", "3")
		}, 1},
		"refused": {func(p *peer, id int64) {
			p.message("2", "1")
			p.send("error", fields{"code": 1005, "message": "too much"}, id)
			p.message("4", "2")
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			scripted(t, func(t *testing.T, c *client.Client, seen *record) {
				_, err := c.Publish(t.Context(), "r", "hi")
				if want := name == "refused"; want != errors.Is(err, &hub.Error{Code: 1005}) {
					t.Errorf("publish: %v", err)
				}
				synctest.Wait()
				if n := count[client.Gap](seen); n != tc.gaps {
					t.Errorf("%d gaps: %+v", n, seen.list())
				}
			}, func(p *peer) {
				p.joined(fields{"position": "0"})
				id, _ := p.expect("room_message")
				tc.script(p, id)
			})
		})
	}
	t.Run("out of the history", func(t *testing.T) {
		var since any
		scripted(t, func(t *testing.T, c *client.Client, seen *record) {
			if r, err := c.Publish(t.Context(), "r", "hi"); err != nil || r != (client.Receipt{Position: "1", Scope: "cluster"}) {
				t.Errorf("%+v, %v", r, err)
			}
			wantMessages(t, seen, "2")
			if since != "0" || count[client.Gap](seen) > 0 {
				t.Errorf("since %v: %+v", since, seen.list())
			}
		}, func(p *peer) {
			p.joined(fields{"position": "0"})
			id, _ := p.expect("room_message")
			p.send("room_message_sent", fields{"room_id": "r", "position": "1", "scope": "cluster"}, id)
			p.drop()
		}, func(p *peer) {
			since = p.joined(fields{"position": "2", "recovered": true})
			p.message("1", "0") // the client's own
			p.message("2", "1")
		})
	})
}

// TestRejoinRefused: what can pass is tried again, what cannot is told.
func TestRejoinRefused(t *testing.T) {
	first := func(p *peer) {
		p.joined(fields{"position": "0"})
		p.drop()
	}
	for code, again := range map[int]bool{1003: true, 1004: true, 1005: true, 2001: false, 3000: false, 3002: false} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			scripted(t, func(t *testing.T, c *client.Client, seen *record) {
				if again {
					await[client.Rejoined](t, seen, 0)
					return
				}
				left := await[client.Left](t, seen, 0)
				if left.Room != "r" || !errors.Is(left.Err, &hub.Error{Code: code}) || len(c.Rooms()) > 0 {
					t.Errorf("got %+v, rooms %q", left, c.Rooms())
				}
			}, first, func(p *peer) {
				for range map[bool]int{true: 3, false: 1}[again] {
					id, _ := p.expect("join_room")
					p.send("error", fields{"code": code, "message": "no"}, id)
				}
				if again {
					p.joined(fields{"position": "0", "recovered": true})
				}
			})
		})
	}
	t.Run("the server was quicker", func(t *testing.T) {
		scripted(t, func(t *testing.T, _ *client.Client, seen *record) {
			if r := await[client.Rejoined](t, seen, 0); r != (client.Rejoined{Room: "r", Position: "7"}) {
				t.Errorf("got %+v", r)
			}
			wantMessages(t, seen, "8")
		}, first, func(p *peer) {
			id, _ := p.expect("join_room")
			p.send("room_joined", fields{"room_id": "r", "position": "7"}, 0)
			p.send("error", fields{"code": 3004, "message": "already"}, id)
			p.message("8", "7")
		})
	})
}

// TestMovedByServer: rooms that the server puts the client into, and takes it
// out of.
func TestMovedByServer(t *testing.T) {
	var rejoined []any
	scripted(t, func(t *testing.T, c *client.Client, seen *record) {
		await[client.Connected](t, seen, 1)
		await[client.Rejoined](t, seen, 0)
		synctest.Wait()
		if j := await[client.Joined](t, seen, 0); j != (client.Joined{Room: "s", Position: "0"}) {
			t.Errorf("got %+v", j)
		}
		if l := await[client.Left](t, seen, 0); l != (client.Left{Room: "r"}) {
			t.Errorf("got %+v", l)
		}
		if !slices.Equal(rejoined, []any{"s"}) {
			t.Errorf("joined again: %v", rejoined)
		}
	}, func(p *peer) {
		p.joined(nil)
		p.send("room_joined", fields{"room_id": "s", "status": "joined", "position": "0"}, 0)
		p.send("room_left", fields{"room_id": "r", "status": "left"}, 0)
		p.drop()
	}, func(p *peer) {
		id, data := p.expect("join_room")
		rejoined = append(rejoined, data["room_id"])
		p.send("room_joined", fields{"room_id": data["room_id"], "position": "0", "recovered": true}, id)
	})
}

// TestLateJoin: a join whose answer nobody waits for any more still counts, and
// one whose connection is lost does not.
func TestLateJoin(t *testing.T) {
	for name, answered := range map[string]bool{"answered": true, "lost": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t, func(n int, w http.ResponseWriter, r *http.Request) {
					p := accept(t, w, r)
					if n == 0 {
						id, _ := p.expect("join_room")
						time.Sleep(10 * time.Second) // in the bubble
						if !answered {
							p.drop()
							return
						}
						p.send("room_joined", fields{"room_id": "r", "position": "0"}, id)
						p.message("1", "0")
					}
					p.idle()
				})
				seen := newRecord()
				c := f.mustConnect(seen.options(client.Options{}))
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if _, err := c.Join(ctx, "r", client.JoinOptions{}); !errors.Is(err, client.ErrUnknown) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
				if got := c.Rooms(); len(got) > 0 {
					t.Errorf("rooms %q", got)
				}
				var want []string
				if answered {
					wantMessages(t, seen, "1")
					want = []string{"r"}
				} else {
					await[client.Connected](t, seen, 1)
				}
				if got := c.Rooms(); !slices.Equal(got, want) {
					t.Errorf("rooms %q, want %q", got, want)
				}
			})
		})
	}
}

// TestLeave: a room that was left is not joined again, whenever the connection
// is lost.
func TestLeave(t *testing.T) {
	for name, script := range map[string]func(p *peer){
		"answered": func(p *peer) {
			id, _ := p.expect("leave_room")
			p.send("room_left", fields{"room_id": "r"}, id)
			p.drop()
		},
		"lost": func(p *peer) {
			p.expect("leave_room")
			p.drop()
		},
	} {
		t.Run(name, func(t *testing.T) {
			scripted(t, func(t *testing.T, c *client.Client, seen *record) {
				if err := c.Leave(t.Context(), "r"); err != nil {
					t.Error(err)
				}
				await[client.Connected](t, seen, 1)
				synctest.Wait()
				if got := c.Rooms(); len(got) > 0 {
					t.Errorf("rooms %q", got)
				}
			}, func(p *peer) {
				p.joined(nil)
				script(p)
			}, func(p *peer) {
				if m, ok := p.receive(); ok {
					t.Errorf("got %+v", m)
				}
			})
		})
	}
}
