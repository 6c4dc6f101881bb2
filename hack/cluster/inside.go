//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// The processes inside the namespaces, by the command they are started with.
const (
	roleInit    = "inside-init"    // the first one, which buries the orphans
	roleControl = "inside-control" // runs the control plane, starts the nodes
	roleNode    = "inside-node"    // runs what a node has besides pods
)

func runInside(ctx context.Context, role string, args []string) error {
	if len(args) == 0 || os.Getpid() != 1 && role == roleInit {
		return errors.New(role + " is for the cluster itself")
	}
	c := cluster{dir: args[0]}
	switch role {
	case roleInit:
		return c.init(args[1:])
	case roleControl:
		return c.control(ctx, args[1:])
	default:
		return c.runNode(ctx, args[1:])
	}
}

// init is the process with the number 1: when it ends, so do all.
func (c cluster) init(images []string) error {
	if err := ownMounts(); err != nil {
		return err
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount proc: %w", err)
	}
	cmd := exec.Command("/proc/self/exe", append([]string{roleControl, c.dir}, images...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	for {
		pid, err := syscall.Wait4(-1, nil, 0, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid == cmd.Process.Pid {
			return err
		}
	}
}

// ownMounts keeps what is mounted from now on among this process and its
// children, whose pods see it when it comes later than they.
func ownMounts() error {
	for _, how := range []uintptr{unix.MS_PRIVATE, unix.MS_SHARED} {
		if err := unix.Mount("", "/", "", unix.MS_REC|how, ""); err != nil {
			return fmt.Errorf("have mounts of its own: %w", err)
		}
	}
	return nil
}

// bind shows the folder from at the path to.
func bind(from, to string) error {
	if err := os.MkdirAll(from, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s at %s: %w", from, to, err)
	}
	return nil
}

// start starts a program that runs as long as the cluster does, and writes to a
// log of its own. One that ends is told of at exits.
func (c cluster) start(exits chan<- error, log, name string, args ...string) error {
	file, err := os.Create(filepath.Join(c.logs(), log+".log"))
	if err != nil {
		return err
	}
	defer file.Close()
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", log, err)
	}
	go func() {
		_ = cmd.Wait() // its state says the same, also of an end without an error
		exits <- fmt.Errorf("%s has ended: %s", log, cmd.ProcessState)
	}()
	return nil
}
