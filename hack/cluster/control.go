//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// control starts everything in its order, and stays.
func (c cluster) control(ctx context.Context, images []string) error {
	exits := make(chan error)
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { done <- c.startAll(ctx, exits, images) }()
	for {
		var err error
		select {
		case err = <-done:
			done = nil
			if err == nil {
				if err := c.write(readyFile, ""); err != nil {
					return err
				}
				continue
			}
		case err = <-exits:
		}
		// Nothing is started again: a test must not mend what it tests on. After
		// the start an end is only written down, as tests may end what they like.
		fmt.Println(err)
		if done != nil || !exists(c.file(readyFile)) {
			return errors.Join(err, c.write(failedFile, err.Error()))
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (c cluster) startAll(ctx context.Context, exits chan<- error, images []string) error {
	start := time.Now()
	dir, err := c.read(programsFile)
	if err != nil {
		return err
	}
	nodes, err := c.readNumber(nodesFile)
	if err != nil {
		return err
	}
	p := programs{dir: dir}
	if err := unix.Sethostname([]byte(nodeName(1))); err != nil {
		return err
	}
	if err := setUpFabric(ctx); err != nil {
		return err
	}
	if err := c.startControlPlane(ctx, exits, p); err != nil {
		return err
	}
	fmt.Println("API server ready after", since(start))
	for n := 1; n <= nodes; n++ {
		if err := c.startNode(ctx, exits, n, images); err != nil {
			return err
		}
	}
	if err := c.apply(ctx, p, nodes); err != nil {
		return err
	}
	err = c.awaitNodes(ctx, p, nodes)
	if err != nil {
		return err
	}
	fmt.Println(nodes, "nodes ready after", since(start))
	err = await(ctx, "DNS", 2*time.Minute, func(ctx context.Context) error {
		_, err := c.kubectl(ctx, p, "-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=100s")
		return err
	})
	if err == nil {
		fmt.Println("DNS ready after", since(start))
	}
	return err
}

// startControlPlane starts what keeps and changes the cluster's state. The
// others wait for the API server: without its roles they end.
func (c cluster) startControlPlane(ctx context.Context, exits chan<- error, p programs) error {
	if err := c.start(exits, "etcd", p.path("etcd"), etcdFlags(c)...); err != nil {
		return err
	}
	if err := c.start(exits, "kube-apiserver", p.path("kube-apiserver"), apiServerFlags(c)...); err != nil {
		return err
	}
	err := await(ctx, "API server", 2*time.Minute, func(ctx context.Context) error {
		_, err := c.kubectl(ctx, p, "get", "--raw", "/readyz")
		return err
	})
	if err != nil {
		return err
	}
	if err := c.start(exits, "kube-controller-manager", p.path("kube-controller-manager"), controllerFlags(c)...); err != nil {
		return err
	}
	return c.start(exits, "kube-scheduler", p.path("kube-scheduler"), clientFlags(c, "kube-scheduler")...)
}

// startNode starts the process of a node in mounts of its own and, past the
// first, with a network of its own.
func (c cluster) startNode(ctx context.Context, exits chan<- error, n int, images []string) error {
	log, err := os.Create(filepath.Join(c.logs(), nodeName(n)+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("/proc/self/exe", append([]string{roleNode, c.dir, strconv.Itoa(n)}, images...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS}
	if n > 1 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWNET
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", nodeName(n), err)
	}
	go func() {
		_ = cmd.Wait()
		exits <- fmt.Errorf("%s has ended: %s", nodeName(n), cmd.ProcessState)
	}()
	if n == 1 {
		return nil
	}
	return plugIn(ctx, n, cmd.Process.Pid)
}

func (c cluster) awaitNodes(ctx context.Context, p programs, nodes int) error {
	return await(ctx, "nodes", 3*time.Minute, func(ctx context.Context) error {
		out, err := c.kubectl(ctx, p, "get", "nodes", "-o", `jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}`)
		if ready := strings.Count(out, "True"); err == nil && ready < nodes {
			return fmt.Errorf("%d of %d ready", ready, nodes)
		}
		return err
	})
}

// kubectl runs kubectl as the admin.
func (c cluster) kubectl(ctx context.Context, p programs, args ...string) (string, error) {
	return output(command(ctx, p.path("kubectl"), append([]string{"--kubeconfig", c.kubeconfig()}, args...)...))
}
