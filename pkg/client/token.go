package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// getToken asks for the token to connect with.
func (c *Client) getToken(ctx context.Context) (string, error) {
	if c.opts.Token == nil {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.HandshakeTimeout)
	defer cancel()
	token, err := c.opts.Token(ctx)
	if err != nil {
		return "", &tokenError{err}
	}
	if token != "" && token == c.spent {
		return "", fmt.Errorf("%w: %w", errSameToken, c.spentBy)
	}
	return token, nil
}

func (c *Client) setToken(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token = token
}

// lastToken returns the token that the hub was given last.
func (c *Client) lastToken() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.token
}

// tokenExpiry returns the exp claim of a JWT (RFC 7519, section 4.1.4), which
// is not verified: that is for the hub. ok is false where there is none.
func tokenExpiry(token string) (exp time.Time, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}, false
	}
	var claims struct {
		Exp *float64 `json:"exp"`
	}
	const latest = 1 << 40 // seconds: what a time.Time can still add to
	if err := json.Unmarshal(payload, &claims); err != nil || claims.Exp == nil || *claims.Exp < 0 || *claims.Exp > latest {
		return time.Time{}, false
	}
	seconds, fraction := math.Modf(*claims.Exp)
	return time.Unix(int64(seconds), int64(fraction*1e9)), true
}

const (
	maxRenewalLead = time.Minute     // before exp
	minRenewalWait = 2 * time.Second // between two attempts
)

// renewalWait returns when to renew a token that is valid for so long: a fifth
// of that before its end, at most a minute, and up to half as much earlier, so
// that clients that got their tokens together do not renew them together.
func renewalWait(left time.Duration, random float64) time.Duration {
	lead := min(left/5, maxRenewalLead)
	return max(left-lead-time.Duration(random*float64(lead)/2), 0)
}

// renewInTime has the token renewed before it expires, where it does.
func (c *Client) renewInTime(w *wire, token string) {
	exp, ok := tokenExpiry(token)
	if !ok || c.opts.Token == nil {
		return
	}
	if left := time.Until(exp); left > 0 {
		w.after("renewal", renewalWait(left, rand.Float64()), func() { c.renew(w, token, exp) })
	}
}

// renew gets a new token and gives it to the hub.
func (c *Client) renew(w *wire, old string, exp time.Time) {
	next, err := c.exchange(w, old, exp)
	if err == nil {
		c.renewInTime(w, next)
		return
	}
	if isLost(w) {
		return
	}
	c.tellNow(RenewalFailed{Err: err})
	if wait := max(time.Until(exp)/4, minRenewalWait); wait < time.Until(exp) {
		w.after("renewal", wait, func() { c.renew(w, old, exp) })
	}
}

// exchange replaces the token of a connection.
func (c *Client) exchange(w *wire, old string, exp time.Time) (string, error) {
	ctx, cancel := context.WithDeadline(c.ctx, exp)
	defer cancel()
	asking, stop := context.WithTimeout(ctx, c.opts.HandshakeTimeout)
	defer stop()
	token, err := c.opts.Token(asking)
	if err != nil {
		return "", &tokenError{err}
	}
	if token == old {
		return "", errSameToken
	}
	id := c.nextID()
	frame, err := newFrame(typeAuthenticate, map[string]string{"token": token}, id)
	if err != nil {
		return "", err
	}
	// Noted before anything else is read: the hub may say next that it expired.
	m, _, err := c.roundTrip(ctx, w, id, frame, func(m Message) {
		if m.err() == nil {
			c.setToken(token)
		}
	})
	if err != nil {
		return "", fmt.Errorf("renew the token: %w", err)
	}
	if e := m.err(); e != nil {
		return "", fmt.Errorf("renew the token: %w", e)
	}
	return token, nil
}

func isLost(w *wire) bool {
	select {
	case <-w.lost:
		return true
	default:
		return false
	}
}
