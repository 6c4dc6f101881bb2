package conn

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// adopt takes the socket of a plain TCP connection out of Go's poller: the
// copy of the descriptor lives on when nc is closed, and with it go about 700
// bytes of net.Conn.
func adopt(nc net.Conn) (fd int, ok bool) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return 0, false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, false
	}
	var dupErr error
	err = raw.Control(func(orig uintptr) { fd, dupErr = unix.FcntlInt(orig, unix.F_DUPFD_CLOEXEC, 0) })
	if err != nil || dupErr != nil || fd >= fdChunks*fdChunkSize {
		return 0, false
	}
	_ = nc.Close() // closes the original only
	return fd, true
}

// gone tells whether a client has closed its connection, and sent nothing before
// that is still to be read.
func gone(nc net.Conn) bool {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false
	}
	gone := false
	err = raw.Control(func(fd uintptr) {
		n, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		gone = err == nil && n == 0 || errors.Is(err, unix.ECONNRESET)
	})
	return gone || err != nil
}

func closeAdopted(fd int) { _ = unix.Close(fd) }
