//go:build !linux

package conn

import "net"

// Systems without epoll serve every connection with a goroutine.
type loop struct{}

func (*loop) add(*Conn) error { return nil }

func (e *Engine) startLoops(int) error { e.cfg.Goroutines = true; return nil }
func (e *Engine) stopLoops()           {}

func (c *Conn) updateInterest() { c.stream.wake(c.wantsInput()) }

func (s *shard) closeFD(*Conn) {}
func shutdownFD(int32)         {}

func writeFD(int32, []byte) (int, error) { return 0, net.ErrClosed }

func adopt(net.Conn) (int, bool) { return 0, false }

// gone is not known here.
func gone(net.Conn) bool { return false }

func closeAdopted(int) {}
