package server_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/pkg/api"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

func TestAdminBodies(t *testing.T) {
	_, a := newAdmin(t, server.Options{})
	a.want(201, "POST", api.PathRooms, `{"room_id":"r"}`, nil)
	for body, words := range map[string]string{
		` `:                                        "one JSON object",
		`null`:                                     "one JSON object",
		`[]`:                                       "one JSON object",
		`{"room":"r","content":1`:                  "one JSON object",
		`{"room":"r","content":1}{}`:               "one JSON object",
		`{"room":"r","content":1} x`:               "one JSON object",
		`{"room":"r","content":01}`:                "one JSON object",
		`{"room":"r","content":1,}`:                "one JSON object",
		`{"room":"r","contnt":1}`:                  `unknown field "contnt": the fields are room, content, sender_id, idempotency_key, exclude`,
		`{"room":"r","content":1,"":1}`:            `unknown field ""`,
		`{"Room":"r","content":1}`:                 `unknown field "Room"`,
		`{"room":"r","room":"s","content":1}`:      "field room stands twice",
		`{"room":"r","r\u006fom":"s","content":1}`: "field room stands twice",
		`{"room":5,"content":1}`:                   "room must be a string",
		`{"room":"r","content":1,"exclude":"a"}`:   "exclude must be a list of strings",
		`{"room":"r","content":1,"exclude":[1]}`:   "must be a string",
		"{\"room\":\"r\",\"content\":\"\xff\"}":    "not valid UTF-8",
		`{"` + strings.Repeat("x", 1000) + `":1}`:  strings.Repeat("x", 64) + "...",
	} {
		a.refused(400, hub.CodeFormat, words, "POST", api.PathPublish, body)
	}
	a.want(200, "POST", api.PathPublish, " {\"content\" :\n{\"deep\": [1, null]}, \"room\": \"r\", \"exclude\": null} ", nil)
}

func TestAdminContentType(t *testing.T) {
	_, a := newAdmin(t, server.Options{})
	for header, want := range map[string]int{
		"": 415, "text/plain": 415, "application/x-www-form-urlencoded": 415, "multipart/form-data; boundary=x": 415,
		"application/jsonx": 415, "application/json, text/plain": 415, ";": 415,
		"application/json": 200, "application/json; charset=utf-8": 200, "Application/JSON": 200,
	} {
		got := a.send("POST", api.PathBroadcast, `{"content":1}`, http.Header{"Content-Type": {header}})
		if got.status != want {
			t.Errorf("%q: status %d %s", header, got.status, got.body)
		}
		if want == 415 {
			got = a.send("POST", at(api.PathDisconnect, "c"), `{}`, http.Header{"Content-Type": {header}})
			if got.status != 415 {
				t.Errorf("optional body, %q: status %d %s", header, got.status, got.body)
			}
		}
	}
	a.refused(415, hub.CodeFormat, "Content-Type must be application/json", "POST", api.PathBroadcast, "")
}

func TestAdminUnknownRoutes(t *testing.T) {
	_, a := newAdmin(t, server.Options{})
	for _, path := range []string{"/api/v1/", "/api/v1/room", "/api/v1/rooms/", "/api/v1/rooms/a/b", "/api/v1/rooms/a/members/b/c", "/api/v1/clients", "/api/v1/stats/"} {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			a.refused(404, hub.CodeFormat, "no such endpoint", method, path, "")
		}
	}
	a.as("").refused(401, hub.CodeUnauthorized, "is needed", "GET", "/api/v1/nothing", "")
	for path, allow := range map[string]string{
		api.PathRooms: "GET, POST", at(api.PathRoom, "/"): "GET, DELETE", at(api.PathMember, "a", "b"): "PUT, DELETE", api.PathDrain: "POST",
	} {
		got := a.do("PATCH", path, "")
		if got.status != 405 || got.header.Get("Allow") != allow {
			t.Errorf("%s: status %d, Allow %q", path, got.status, got.header.Get("Allow"))
		}
	}
	if got := a.do("HEAD", api.PathStats, ""); got.status != 200 || len(got.body) > 0 {
		t.Errorf("HEAD: %d %q", got.status, got.body)
	}
	if got := a.as("").send("OPTIONS", api.PathPublish, "", http.Header{"Origin": {"https://evil.example"}, "Access-Control-Request-Method": {"POST"}}); got.status < 400 || got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight: %d %v", got.status, got.header)
	}
}

func TestAdminBodyLimit(t *testing.T) {
	for _, tt := range []struct{ maxMessage, fits, tooMuch int }{
		{1024, 64 << 10, 81 << 10},
		{200 << 10, 190 << 10, 217 << 10},
		{-1, 1 << 20, 0},
	} {
		_, a := newAdmin(t, server.Options{MaxMessageSize: tt.maxMessage})
		body := func(n int) string { return `{"content":"` + strings.Repeat("x", n) + `"}` }
		a.want(200, "POST", api.PathBroadcast, body(tt.fits), nil)
		if tt.tooMuch > 0 {
			a.refused(413, hub.CodeTooLarge, "the body is larger", "POST", api.PathBroadcast, body(tt.tooMuch))
		}
	}
}

// TestAdminBodyThatEnds cuts a body short, and sends one in chunks.
func TestAdminBodyThatEnds(t *testing.T) {
	srv, _ := newAdmin(t, server.Options{})
	for request, want := range map[string]string{
		"Content-Length: 100\r\n\r\n{\"content\":":                                     "400",
		"Transfer-Encoding: chunked\r\n\r\n5\r\n{\"con\r\n8\r\ntent\":1}\r\n0\r\n\r\n": "200",
		"Transfer-Encoding: chunked\r\n\r\n5\r\n{\"con\r\nzz\r\n":                      "400",
		"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n":                                  "400",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL("http"), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n%s", api.PathBroadcast, adminKey, request)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.(*net.TCPConn).CloseWrite()
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.Contains(line, " "+want+" ") {
			t.Errorf("%q: got %q %v", request, line, err)
		}
		_ = conn.Close()
	}
}

func FuzzDecodeObject(f *testing.F) {
	for _, seed := range []string{`{"room":"r","content":[1],"exclude":["a"]}`, `{"room":null}`, `{"x":1}`, `[]`, `{"room":"\ud800"}`, "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var q api.PublishRequest
		err := server.DecodeObject(body, &q)
		if err == nil {
			return
		}
		if e, ok := err.(*hub.Error); !ok || e.Code != hub.CodeFormat || len(e.Message) > 500 {
			t.Errorf("%q: got %v", body, err)
		}
	})
}

func TestBodyLimit(t *testing.T) {
	for maxMessage, want := range map[int]int64{-1: 0, 1: 80 << 10, 64 << 10: 80 << 10, 1 << 20: 1<<20 + 16<<10} {
		if got := server.BodyLimit(maxMessage); got != want {
			t.Errorf("%d: got %d, want %d", maxMessage, got, want)
		}
	}
}
