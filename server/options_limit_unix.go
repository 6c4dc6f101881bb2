//go:build unix

package server

import "syscall"

// descriptorLimit returns how many descriptors the process may hold open, or 0
// where that cannot be told. Go has raised the soft limit to the hard one.
func descriptorLimit() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return uint64(limit.Cur)
}
