package client

import (
	"time"

	"github.com/gorilla/websocket"
)

// watch notices a hub that is gone without a word: it is asked when nothing was
// heard for Options.PingInterval, and given up when it does not answer for as
// long again.
func (c *Client) watch(w *wire) {
	if interval := c.opts.PingInterval; interval > 0 {
		c.watchAfter(w, interval)
	}
}

func (c *Client) watchAfter(w *wire, d time.Duration) {
	w.after("watch", d, func() {
		interval := c.opts.PingInterval
		switch silence := w.silence(); {
		case silence < interval:
			c.watchAfter(w, interval-silence)
		case silence < 2*interval:
			c.watchAfter(w, 2*interval-silence)
			_ = w.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(closeWait)) // no answer will come then
		default:
			w.cut(errSilent)
		}
	})
}
