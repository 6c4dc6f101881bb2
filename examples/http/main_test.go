package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/hubtest"
)

func TestHTTP(t *testing.T) {
	s, err := newServer(hubtest.Options(nil))
	if err != nil {
		t.Fatal(err)
	}
	srv := hubtest.Run(t, s)
	c := srv.Dial(t)
	c.Join("order.7")
	for _, tt := range []struct {
		path, body string
		want       int
	}{
		{"/orders/7", `{"state":"shipped"}`, http.StatusAccepted},
		{"/orders/8", `{"state":"shipped"}`, http.StatusNoContent},
		{"/orders/7", `nonsense`, http.StatusBadRequest},
	} {
		resp, err := http.Post(srv.URL("http")+tt.path, "application/json", strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != tt.want {
			t.Errorf("POST %s %s: %d, want %d", tt.path, tt.body, resp.StatusCode, tt.want)
		}
	}
	if m := c.Expect("room_message"); !strings.Contains(string(m.Data), `"content":{"state":"shipped"}`) {
		t.Errorf("got %s", m.Data)
	}
	c.Silent()
}
