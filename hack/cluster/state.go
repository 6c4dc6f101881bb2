//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cluster is a running cluster, known by its folder.
type cluster struct{ dir string }

func (c cluster) pki() string          { return filepath.Join(c.dir, "pki") }
func (c cluster) kubeconfig() string   { return filepath.Join(c.pki(), "admin.kubeconfig") }
func (c cluster) logs() string         { return filepath.Join(c.dir, "log") }
func (c cluster) volumes() string      { return filepath.Join(c.dir, "volumes") }
func (c cluster) node(n int) string    { return filepath.Join(c.dir, nodeName(n)) }
func (c cluster) file(s string) string { return filepath.Join(c.dir, s) }

// socket is where the containerd of a node listens.
func (c cluster) socket(n int) string {
	return filepath.Join(c.node(n), "run/containerd/containerd.sock")
}

// Files in the folder by which the processes of a cluster tell each other where
// they are.
const (
	pidFile      = "pid"      // of the first process, and when that started
	programsFile = "programs" // the folder with the programs
	nodesFile    = "nodes"    // how many
	readyFile    = "ready"    // there when it is
	failedFile   = "failed"   // why it will not be
	inotifyFile  = "inotify"  // the setting of this machine to go back to
)

func (c cluster) read(file string) (string, error) {
	text, err := os.ReadFile(c.file(file))
	return strings.TrimSpace(string(text)), err
}

func (c cluster) write(file, text string) error {
	return os.WriteFile(c.file(file), []byte(text+"\n"), 0o600)
}

func (c cluster) readNumber(file string) (int, error) {
	text, err := c.read(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}

var errNotUp = errors.New("the cluster is not up; cluster up starts it")

// pid returns the first process, or errNotUp.
func (c cluster) pid() (int, error) {
	text, err := c.read(pidFile)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, errNotUp
	}
	if err != nil {
		return 0, err
	}
	number, started, _ := strings.Cut(text, " ")
	pid, err := strconv.Atoi(number)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", c.file(pidFile), err)
	}
	// Another process may have the number by now.
	if now, err := startTime(pid); err != nil || now != started {
		return 0, errNotUp
	}
	return pid, nil
}

// pidText is what pid reads.
func pidText(pid int, started string) string { return strconv.Itoa(pid) + " " + started }

// startTime is when a process was started, in ticks since boot: field 22 of
// /proc/PID/stat, the 20th behind the name, which may hold spaces.
func startTime(pid int) (string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	_, rest, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')'):]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 20 || fields[0] == "Z" {
		return "", fmt.Errorf("process %d has ended", pid)
	}
	return fields[19], nil
}

// since is a duration for people.
func since(start time.Time) time.Duration { return time.Since(start).Round(100 * time.Millisecond) }
