//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// exec becomes the command, in the first node's network, as the cluster's
// admin. The programs of Kubernetes are found first, and names resolve as in a
// pod of the namespace default.
func (c cluster) exec(args []string) error {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return errors.New("exec: want a command")
	}
	pid, err := c.pid()
	if err != nil {
		return err
	}
	if err := c.enter(pid); err != nil {
		return err
	}
	dir, err := c.read(programsFile)
	if err != nil {
		return err
	}
	if err := os.Setenv("PATH", dir+":"+os.Getenv("PATH")); err != nil {
		return err
	}
	if err := os.Setenv("KUBECONFIG", c.kubeconfig()); err != nil {
		return err
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", path, syscall.Exec(path, args, os.Environ()))
}

// enter moves this thread, which it keeps, into the network. Files stay those of
// the machine, but for the one that says who resolves names.
func (c cluster) enter(pid int) error {
	runtime.LockOSThread()
	network, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return err
	}
	defer network.Close()
	if err := unix.Setns(int(network.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter the network: %w", err)
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("have mounts of its own: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("have mounts of its own: %w", err)
	}
	const resolver = "nameserver " + dnsAddress + "\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n"
	if err := os.WriteFile(c.file("resolv.conf"), []byte(resolver), 0o644); err != nil {
		return err
	}
	if err := unix.Mount(c.file("resolv.conf"), "/etc/resolv.conf", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("resolve names: %w", err)
	}
	return nil
}

// load imports archives of images into every node.
func (c cluster) load(ctx context.Context, archives []string) error {
	if _, err := c.pid(); err != nil {
		return err
	}
	nodes, err := c.readNumber(nodesFile)
	if err != nil {
		return err
	}
	for n := 1; n <= nodes; n++ {
		if err := c.loadNode(ctx, n, archives); err != nil {
			return err
		}
	}
	return nil
}

func (c cluster) loadNode(ctx context.Context, n int, archives []string) error {
	for _, archive := range archives {
		if _, err := output(command(ctx, "ctr", "-a", c.socket(n), "-n", "k8s.io", "images", "import", archive)); err != nil {
			return fmt.Errorf("%s: %w", nodeName(n), err)
		}
	}
	return nil
}
