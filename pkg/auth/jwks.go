package auth

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Pace of the requests to a JWKS endpoint.
const (
	jwksInterval   = 10 * time.Minute // between refreshes; a withdrawn key lives this long
	jwksDemandGap  = 10 * time.Second // between refreshes that tokens with unknown keys cause
	jwksFirstRetry = time.Second      // after a failure, doubled each time
	jwksLastRetry  = time.Minute
)

// jwks keeps the keys of a JWKS endpoint. One goroutine makes all requests, so
// at most one is under way, and clients cannot cause more than one each
// jwksDemandGap, whatever key ids they make up. While the endpoint is down the
// last keys it gave stay in use. Only tokens that carry a key id make a new key
// known at once; without ids it is found at the next refresh.
type jwks struct {
	fetcher jwksFetcher
	wake    chan struct{} // asks the goroutine for a refresh now; one slot
	cancel  context.CancelFunc
	done    chan struct{} // closed when the goroutine has ended

	mu       sync.Mutex    // guards what follows
	keys     []boundKey    // replaced as a whole, never changed
	err      error         // of the last request
	requests uint64        // that have ended
	loaded   bool          // a request has succeeded
	flight   chan struct{} // closed at the end of the request under way or asked for, nil if none
	demanded time.Time     // when a token last caused a refresh
}

func startJWKS(ctx context.Context, address, algorithm string, client *http.Client) *jwks {
	ctx, cancel := context.WithCancel(ctx)
	s := &jwks{
		fetcher: newJWKSFetcher(address, algorithm, client),
		wake:    make(chan struct{}, 1),
		cancel:  cancel,
		done:    make(chan struct{}),
		flight:  make(chan struct{}), // the first request, on its way from the start
	}
	go s.run(ctx)
	return s
}

func (s *jwks) close() {
	s.cancel()
	<-s.done
}

// run reads the keys again and again until ctx is done.
func (s *jwks) run(ctx context.Context) {
	defer close(s.done)
	defer s.fetcher.close()
	defer s.cancel()
	retry := jwksFirstRetry
	for ctx.Err() == nil {
		pause := jwksInterval
		if s.load(ctx) == nil {
			retry = jwksFirstRetry
		} else {
			// Jitter, so that the hubs of a cluster do not all ask at once.
			pause = retry/2 + rand.N(retry/2)
			retry = min(2*retry, jwksLastRetry)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-s.wake:
		}
		timer.Stop()
	}
}

// load makes one request and tells everybody who waits for it.
func (s *jwks) load(ctx context.Context) error {
	s.mu.Lock()
	if s.flight == nil {
		s.flight = make(chan struct{})
	}
	select {
	case <-s.wake: // this request is the answer to it
	default:
	}
	s.mu.Unlock()

	keys, err := s.fetcher.fetch(ctx)

	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.keys, s.loaded = keys, true
	}
	s.err = err
	s.requests++
	close(s.flight)
	s.flight = nil
	return err
}

// find looks for keys and, if there are none, waits for a refresh and looks
// again. A request that was already under way may have been answered before the
// key was published, so a second one may follow it.
func (s *jwks) find(ctx context.Context, alg, kid string) ([]boundKey, error) {
	found, requests, err := s.lookup(alg, kid)
	for range 2 {
		if err == nil {
			break
		}
		refreshed := s.refresh(ctx, requests)
		found, requests, err = s.lookup(alg, kid)
		if !refreshed {
			break
		}
	}
	return found, err
}

// lookup returns the keys that fit, one at least, and after how many requests
// it looked.
func (s *jwks) lookup(alg, kid string) (found []boundKey, requests uint64, err error) {
	s.mu.Lock()
	keys, requests, err := s.keys, s.requests, s.readyLocked()
	s.mu.Unlock()
	if err != nil {
		return nil, requests, err
	}
	known := false
	for _, k := range keys {
		if kid != "" && k.id != kid {
			continue
		}
		known = true
		if k.alg == alg {
			found = append(found, k)
		}
	}
	switch {
	case len(found) > 0:
		return found, requests, nil
	case known:
		return nil, requests, invalid("the algorithm is not the one of its key")
	}
	return nil, requests, invalid("the key id is not in the key set")
}

// refresh waits for the end of a request to the endpoint beyond the first so many
// and reports whether it succeeded. It asks for one if none is under way and the
// last it asked for is long enough ago.
func (s *jwks) refresh(ctx context.Context, requests uint64) bool {
	s.mu.Lock()
	if s.requests > requests { // it has ended meanwhile
		defer s.mu.Unlock()
		return s.err == nil
	}
	flight := s.flight
	if flight == nil {
		if !s.demanded.IsZero() && time.Since(s.demanded) < jwksDemandGap {
			s.mu.Unlock()
			return false
		}
		s.demanded = time.Now()
		flight = make(chan struct{})
		s.flight = flight
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	s.mu.Unlock()
	select {
	case <-flight:
	case <-ctx.Done():
		return false
	case <-s.done:
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err == nil
}

func (s *jwks) ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.readyLocked()
}

func (s *jwks) readyLocked() error {
	switch {
	case len(s.keys) > 0:
		return nil
	case s.err != nil:
		return &tokenError{ErrKeysUnavailable, s.err.Error()}
	case s.loaded:
		return &tokenError{ErrKeysUnavailable, "the key set has no usable signature key"}
	}
	return &tokenError{ErrKeysUnavailable, "the key set has not been read yet"}
}
