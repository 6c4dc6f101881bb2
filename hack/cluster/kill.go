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
	"syscall"
)

// killPod ends the processes of a pod's containers at once, as a crash or the
// kernel does when memory runs out; kubelet starts them again.
func (c cluster) killPod(args []string) error {
	if len(args) != 1 {
		return errors.New("kill: want one argument, the UID of a pod")
	}
	if _, err := c.pid(); err != nil {
		return err
	}
	trees, err := cgroupTrees()
	if err != nil {
		return err
	}
	var pids []int
	for _, tree := range trees {
		found, err := podProcesses(filepath.Join(tree, cgroupName), args[0])
		if err != nil {
			return err
		}
		pids = append(pids, found...)
	}
	killed := map[int]bool{} // all hierarchies of version 1 name it
	for _, pid := range pids {
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if err != nil || strings.TrimSpace(string(name)) == "pause" || killed[pid] {
			continue // ended, or holds the pod's network
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill process %d: %w", pid, err)
		}
		killed[pid] = true
	}
	if len(killed) == 0 {
		return fmt.Errorf("no process of the pod %s", args[0])
	}
	return nil
}

// podProcesses returns the processes in the cgroups of a pod below a folder.
func podProcesses(top, uid string) ([]int, error) {
	var pids []int
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // ended meanwhile
		}
		if err != nil || d.Name() != "cgroup.procs" || !strings.Contains(path, "/pod"+uid+"/") {
			return err
		}
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) {
			return nil
		}
		for _, field := range strings.Fields(string(text)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			pids = append(pids, pid)
		}
		return err
	})
	return pids, err
}
