//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A machine with two cores that others use as well takes a minute.
const upLimit = 5 * time.Minute

// up starts a cluster and returns when its nodes are ready and names resolve.
// Where that fails its processes are ended, and their logs stay until the next
// up or down.
func (c cluster) up(ctx context.Context, p programs, nodes int, images []string, stdout io.Writer) error {
	if os.Geteuid() != 0 {
		return errors.New("up needs root")
	}
	for _, dir := range nodeDirs() {
		if strings.HasPrefix(c.dir, "/"+dir+"/") {
			return fmt.Errorf("%s lies below /%s, of which each node has its own; set XDG_CACHE_HOME to another folder", c.dir, dir)
		}
	}
	if _, err := c.pid(); err == nil {
		return fmt.Errorf("a cluster is up already, in %s; cluster down ends it", c.dir)
	}
	if err := c.remove(ctx); err != nil { // of one that was killed
		return err
	}
	start := time.Now()
	if err := c.prepare(p, nodes); err != nil {
		return err
	}
	if err := c.begin(append(p.images, images...)); err != nil {
		return err
	}
	if err := c.awaitReady(ctx, stdout); err != nil {
		err = fmt.Errorf("%w\n%s", err, c.lastLines())
		return errors.Join(err, c.kill(context.WithoutCancel(ctx)))
	}
	fmt.Fprintf(stdout, "%d nodes ready in %s; bin/cluster exec kubectl get nodes\n", nodes, since(start))
	return nil
}

// prepare writes what the processes inside read.
func (c cluster) prepare(p programs, nodes int) error {
	for _, dir := range []string{c.logs(), c.volumes()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	a, err := newAuthority(c.pki())
	if err != nil {
		return err
	}
	if err := a.issueAll(nodes); err != nil {
		return err
	}
	if err := raiseInotify(c); err != nil {
		return err
	}
	return errors.Join(c.write(programsFile, p.dir), c.write(nodesFile, strconv.Itoa(nodes)))
}

// begin starts the first process, in namespaces of its own, which outlives this
// one.
func (c cluster) begin(images []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(c.logs(), "control.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{roleInit, c.dir}
	for _, image := range images {
		absolute, err := filepath.Abs(image)
		if err != nil {
			return err
		}
		if _, err := os.Stat(absolute); err != nil {
			return fmt.Errorf("image to load: %w", err)
		}
		args = append(args, absolute)
	}
	cmd := exec.Command(self, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the first process: %w", err)
	}
	started, err := startTime(cmd.Process.Pid)
	if err != nil {
		return err
	}
	if err := c.write(pidFile, pidText(cmd.Process.Pid, started)); err != nil {
		return err
	}
	return cmd.Process.Release()
}

// awaitReady passes on what the control process says, until it is done.
func (c cluster) awaitReady(ctx context.Context, stdout io.Writer) error {
	log, err := os.Open(filepath.Join(c.logs(), "control.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	var failed error
	err = await(ctx, "cluster", upLimit, func(context.Context) error {
		_, alive := c.pid()
		reason, notFailed := c.read(failedFile)
		_, notReady := c.read(readyFile)
		if _, err := io.Copy(stdout, log); err != nil {
			return err
		}
		switch {
		case notFailed == nil:
			failed = errors.New(reason)
		case alive != nil:
			failed = errors.New("the first process has ended")
		case notReady != nil:
			return errors.New("not ready")
		}
		return nil
	})
	return errors.Join(err, failed)
}

// lastLines is the end of each log that tells of an error, for a look at once.
func (c cluster) lastLines() string {
	var text strings.Builder
	files, _ := filepath.Glob(filepath.Join(c.logs(), "*.log"))
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err == nil && len(content) > 0 {
			fmt.Fprintf(&text, "--- %s\n%s\n", file, tail(string(content), 1500))
		}
	}
	return text.String()
}

// raiseInotify raises how many inotify instances root may have: two nodes with
// their pods need more than the 128 that are common. down sets it back.
func raiseInotify(c cluster) error {
	const file, enough = "/proc/sys/fs/inotify/max_user_instances", 1024
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if now, err := strconv.Atoi(strings.TrimSpace(string(text))); err != nil || now >= enough {
		return err
	}
	if err := c.write(inotifyFile, string(text)); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(strconv.Itoa(enough)), 0o644)
}
