//go:build !unix

package server

// descriptorLimit returns 0: this system sets no limit of descriptors.
func descriptorLimit() uint64 { return 0 }
