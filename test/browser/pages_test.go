package browser

import (
	"context"
	"testing"

	"github.com/chenxilol/gohub/test/peer"
)

// browser is a running Chromium with its pages. Its methods are called one at
// a time; what goes wrong ends the test.
type browser struct{ *peer.Process }

// request is one line to pages.mjs. Which fields count depends on Do:
//
//	open      Page: a name for it; URL
//	fill      Page, ID: a data-testid; Text
//	click     Page, ID, Text: a regular expression, "" for any
//	see       Page, ID, Text: a regular expression; Count: of elements
//	read      Page, ID: the reply is the element's text
//	problems  the reply is what went wrong on all pages since the last time
type request struct {
	Do    string `json:"do"`
	Page  string `json:"page"`
	URL   string `json:"url"`
	ID    string `json:"id"`
	Text  string `json:"text"`
	Count int    `json:"count"`
}

type reply struct {
	Error    string
	Status   int // HTTP, of open
	Text     string
	Problems []string
}

// startBrowser runs Chromium until the test ends. Only the origins can be
// reached.
func startBrowser(ctx context.Context, t *testing.T, node, chromium string, origins ...string) *browser {
	t.Helper()
	args := append([]string{"pages.mjs", chromium, t.TempDir()}, origins...)
	return &browser{peer.Start(ctx, t, "the browser's driver", node, args...)}
}

func (b *browser) call(t *testing.T, q request) (r reply) {
	t.Helper()
	b.Call(t, q.Do, q, &r)
	if r.Error != "" {
		t.Fatalf("page %q: %s %q %q: %s", q.Page, q.Do, q.ID, q.Text, r.Error)
	}
	return r
}

func (b *browser) problems(t *testing.T) []string {
	t.Helper()
	return b.call(t, request{Do: "problems"}).Problems
}

// page is one page in the browser.
type page struct {
	*browser
	name string
}

// open opens the page of the hub with this origin.
func (b *browser) open(t *testing.T, name, origin string) *page {
	t.Helper()
	if r := b.call(t, request{Do: "open", Page: name, URL: origin + "/"}); r.Status != 200 {
		t.Fatalf("page %q: status %d", name, r.Status)
	}
	return &page{b, name}
}

func (p *page) fill(t *testing.T, id, text string) {
	t.Helper()
	p.call(t, request{Do: "fill", Page: p.name, ID: id, Text: text})
}

func (p *page) click(t *testing.T, id string) {
	t.Helper()
	p.call(t, request{Do: "click", Page: p.name, ID: id})
}

// choose clicks the element with that id whose text matches the pattern.
func (p *page) choose(t *testing.T, id, pattern string) {
	t.Helper()
	p.call(t, request{Do: "click", Page: p.name, ID: id, Text: pattern})
}

// sees waits until one element with that id matches the pattern.
func (p *page) sees(t *testing.T, id, pattern string) {
	t.Helper()
	p.call(t, request{Do: "see", Page: p.name, ID: id, Text: pattern, Count: 1})
}

func (p *page) read(t *testing.T, id string) string {
	t.Helper()
	return p.call(t, request{Do: "read", Page: p.name, ID: id}).Text
}
