//go:build linux

package main

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// down ends the cluster and removes all of it, so that the machine is as before.
func (c cluster) down(ctx context.Context) error {
	if err := c.kill(ctx); err != nil {
		return err
	}
	return c.remove(ctx)
}

// kill ends the first process, and with it, by the kernel, all others.
func (c cluster) kill(ctx context.Context) error {
	pid, err := c.pid()
	if errors.Is(err, errNotUp) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	return await(ctx, "end of the cluster", 30*time.Second, func(context.Context) error {
		if _, err := c.pid(); err == nil {
			return errors.New("its first process is there")
		}
		return nil
	})
}

// remove removes what no process of the cluster uses any more.
func (c cluster) remove(ctx context.Context) error {
	if err := removeCgroups(ctx); err != nil {
		return err
	}
	if before, err := c.read(inotifyFile); err == nil {
		if err := os.WriteFile("/proc/sys/fs/inotify/max_user_instances", []byte(before), 0o644); err != nil {
			return err
		}
	}
	return os.RemoveAll(c.dir)
}
