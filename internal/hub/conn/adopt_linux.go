package conn

import (
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

func closeAdopted(fd int) { _ = unix.Close(fd) }
