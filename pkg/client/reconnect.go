package client

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// first makes the first connection.
func (c *Client) first(ctx context.Context) (*wire, error) {
	for try := 1; ; try++ {
		w, err := c.connect(ctx)
		if err == nil {
			return w, nil
		}
		v := c.judge(err)
		switch {
		case v.final || ctx.Err() != nil:
			return nil, err
		case try < len(c.addresses):
			continue
		case !c.opts.RetryDial:
			return nil, err
		}
		if c.retry(ctx, v, err) != nil {
			return nil, fmt.Errorf("%w, and before: %w", ctx.Err(), err)
		}
	}
}

// reconnect makes the next connection after one was lost because of cause. Its
// error is why there is none.
func (c *Client) reconnect(cause error) (*wire, error) {
	v := c.judge(cause)
	if v.final {
		return nil, cause
	}
	if err := sleep(c.ctx, c.delay(v)); err != nil {
		return nil, err
	}
	for {
		w, err := c.connect(c.ctx)
		if err == nil {
			return w, nil
		}
		v, cause = c.judge(err), err
		if v.final {
			return nil, cause
		}
		if err := c.retry(c.ctx, v, cause); err != nil {
			return nil, err
		}
	}
}

// judge says what follows from err, and turns to the next hub.
func (c *Client) judge(err error) verdict {
	v := c.attempts.judge(err, time.Now())
	if v.newToken {
		c.spent, c.spentBy = c.lastToken(), err
		v.final = v.final || c.opts.Token == nil
	}
	c.address = (c.address + 1) % len(c.addresses)
	return v
}

// delay returns how long to wait before the next attempt.
func (c *Client) delay(v verdict) time.Duration {
	d := c.opts.Backoff.delay(v, c.attempts.failures, rand.Float64())
	c.attempts.failures++
	return d
}

// retry tells of a failed attempt and waits for the next.
func (c *Client) retry(ctx context.Context, v verdict, cause error) error {
	d := c.delay(v)
	c.tell(Retrying{Attempt: c.attempts.failures, After: d, Err: cause})
	return sleep(ctx, d)
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
