package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	corehub "github.com/chenxilol/gohub/internal/hub"
)

const (
	// maxHeaderBytes bounds the header of a request.
	maxHeaderBytes = 16 << 10
	// idleTimeout ends HTTP connections that carry no request.
	idleTimeout = time.Minute
	// closeTimeout is what is left for closing what a drain leaves over.
	closeTimeout = 5 * time.Second
)

// Start listens and serves until Shutdown, SIGTERM or SIGINT; then it drains
// (see Options.Drain) and returns nil. A second signal ends the process the
// usual way; SIGINT from a terminal (Ctrl-C) drains without the delay, over a
// second at most. An address that cannot be listened on is an error at once. With
// Options.DisableSignals signals are left alone.
func (s *Server) Start() error {
	if s.opts.DisableSignals {
		return s.run(context.Background(), s.drainConfig)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(signals)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var got os.Signal
	go func() {
		select {
		case got = <-signals:
			signal.Stop(signals) // the next one is not ours
			s.log.Info("signal received: draining", "signal", got.String())
			cancel()
		case <-ctx.Done():
		}
	}()
	return s.run(ctx, func() corehub.DrainConfig {
		if ctx.Err() != nil && got == os.Interrupt && isTerminal(os.Stdin) {
			return corehub.DrainConfig{Window: time.Second, Timeout: closeTimeout}
		}
		return s.drainConfig()
	})
}

// Run is Start that ends with ctx instead of signals.
func (s *Server) Run(ctx context.Context) error { return s.run(ctx, s.drainConfig) }

// isTerminal tells whether somebody sits before f: they do not want to wait
// for a load balancer to notice.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull) // a character device, too
	return err == nil && !os.SameFile(info, null)
}

func (s *Server) drainConfig() corehub.DrainConfig {
	d := s.opts.Drain
	return corehub.DrainConfig{Delay: max(d.Delay, 0), Window: max(d.Window, 0), Timeout: max(d.Timeout, 0)}
}

func (s *Server) run(ctx context.Context, drain func() corehub.DrainConfig) error {
	if err := s.begin(); err != nil {
		return err
	}
	defer close(s.served)
	servers, failed, err := s.listen()
	if err != nil {
		_ = s.close(context.Background(), nil) // the reason not to start is the one to tell
		return err
	}
	select {
	case err = <-failed:
		err = fmt.Errorf("serve: %w", err)
	case <-s.stop:
	case <-ctx.Done():
		if drainErr := s.hub.Drain(context.Background(), drain()); drainErr != nil && !errors.Is(drainErr, context.DeadlineExceeded) {
			s.log.Warn("drain ended early", "error", drainErr)
		}
	}
	closeCtx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return errors.Join(err, s.close(closeCtx, servers))
}

// begin makes the server a serving one, once.
func (s *Server) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.state == stateStopped:
		return ErrStopped
	case s.state == stateServing:
		return ErrStarted
	case s.routeErr != nil:
		return s.routeErr
	}
	s.state = stateServing
	s.hub.Start()
	return nil
}

// listen opens the addresses and serves them.
func (s *Server) listen() (servers []*http.Server, failed chan error, err error) {
	failed = make(chan error, 2)
	ln, err := s.open(s.opts.Address)
	if err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	s.addr = ln.Addr()
	s.mu.Unlock()
	var adminListener net.Listener
	if s.admin != nil {
		if adminListener, err = listen("admin: ", s.opts.AdminAddress, s.log); err != nil {
			_ = ln.Close()
			return nil, nil, err
		}
	}
	s.hub.Enter()
	servers = append(servers, s.serve(ln, s.handler, failed))
	if adminListener != nil {
		servers = append(servers, s.serve(adminListener, s.admin, failed))
	}
	s.log.Info("hub listens", "address", ln.Addr().String(), "node", s.hub.Node(), "version", Version(), "tls", s.opts.TLS.CertFile != "")
	return servers, failed, nil
}

// begun tells the hub that requests come, of a program that has an http.Server
// of its own.
func (s *Server) begun() {
	s.hub.Start()
	s.hub.Enter()
}

func (s *Server) open(address string) (net.Listener, error) {
	ln, err := listen("", address, s.log)
	if err != nil {
		return nil, err
	}
	if s.opts.TLS.CertFile == "" {
		return ln, nil
	}
	certs, err := newCertificates(s.opts.TLS, s.log)
	if err != nil {
		_ = ln.Close()
		return nil, err
	}
	return tls.NewListener(ln, &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"}, // a websocket is opened over HTTP/1.1
		GetCertificate: certs.get,
	}), nil
}

func (s *Server) serve(ln net.Listener, h http.Handler, failed chan<- error) *http.Server {
	srv := &http.Server{
		Handler:           boundBody(h),
		ReadHeaderTimeout: max(s.opts.HandshakeTimeout, 0),
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // what peers do wrong
	}
	go func() {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
	return srv
}

// boundBody bounds how long a request's body may take, whether its handler
// reads it or net/http skips it before it answers: ReadHeaderTimeout ends with
// the header.
func boundBody(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setBodyDeadline(w, r)
		h.ServeHTTP(w, r)
	})
}

// bodyTimeout bounds how long a request's body may take.
const bodyTimeout = 30 * time.Second

// setBodyDeadline starts the time that r's body has, if it has one.
func setBodyDeadline(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		// Where w is not from a server it has no deadlines.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	}
}

// drainFloor is the pace at which a shutdown may send clients away at once:
// so few reconnect without harm.
const drainFloor = 20 * time.Millisecond

// shutdown is the one call of Shutdown that does it.
type shutdown struct {
	done chan struct{} // closed at its end
	err  error         // set before done is closed
}

// Shutdown drains the server without the delay, since whoever calls it has
// chosen the moment, and then stops it; Start returns nil. Before Start it
// makes Start return ErrStopped. When ctx ends first, what is left is closed
// without a word and the error wraps ctx.Err(). A second call waits for the
// first and returns its result.
//
// Shutdown waits for the handlers of events, but not for one that passes the
// context it has got. With another context that does not end, such a handler
// waits for itself for ever; it may call Shutdown on a goroutine of its own.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	before := s.state
	s.state = stateStopped
	down := s.down
	if down == nil && before != stateStopped {
		s.down = &shutdown{done: make(chan struct{})}
	}
	s.mu.Unlock()
	switch {
	case down != nil:
		return s.await(ctx, down.done, down)
	case before == stateStopped: // Start has ended by itself
		return s.await(ctx, s.served, nil)
	}
	s.down.err = s.shutdown(ctx, before)
	close(s.down.done)
	return s.down.err
}

// await waits until done is closed, and returns the result of down, if any.
func (s *Server) await(ctx context.Context, done <-chan struct{}, down *shutdown) error {
	select {
	case <-done:
	case <-ctx.Done():
		return fmt.Errorf("wait for the server to stop: %w", ctx.Err())
	}
	if down == nil {
		return nil
	}
	return down.err
}

func (s *Server) shutdown(ctx context.Context, before state) error {
	cfg := s.drainConfig()
	cfg.Delay = 0
	cfg.Window = min(cfg.Window, time.Duration(s.hub.ClientCount())*drainFloor)
	if deadline, ok := ctx.Deadline(); ok {
		cfg.Window = min(cfg.Window, time.Until(deadline)/2)
	}
	if err := s.hub.Drain(ctx, cfg); err != nil && ctx.Err() != nil {
		s.log.Warn("drain ended early", "error", err)
	}
	if before == stateNew {
		return s.close(ctx, nil)
	}
	err := s.hub.Close(ctx)
	close(s.stop)
	select {
	case <-s.served:
		return err
	case <-ctx.Done():
		return errors.Join(err, fmt.Errorf("wait for the server to stop: %w", ctx.Err()))
	}
}

// close ends everything that NewServer and listen have started.
func (s *Server) close(ctx context.Context, servers []*http.Server) error {
	s.mu.Lock()
	s.state = stateStopped
	s.mu.Unlock()
	err := s.hub.Close(ctx)
	var wg sync.WaitGroup
	for _, srv := range servers {
		wg.Go(func() {
			if srv.Shutdown(ctx) != nil {
				_ = srv.Close() // whatever requests are left have had their time
			}
		})
	}
	wg.Wait()
	s.closeVerifier()
	s.metrics.close()
	return err
}
