//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	cgroupMount = "/sys/fs/cgroup"
	cgroupName  = "gohub-cluster" // all that a cluster runs lies below it
)

// cgroupTrees returns the roots of the hierarchies: one with version 2, several
// with version 1.
func cgroupTrees() ([]string, error) {
	if _, err := os.Stat(filepath.Join(cgroupMount, "cgroup.controllers")); err == nil {
		return []string{cgroupMount}, nil
	}
	files, err := filepath.Glob(filepath.Join(cgroupMount, "*", "cgroup.procs"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no cgroups at %s", cgroupMount)
	}
	trees := map[string]bool{}
	for _, file := range files {
		// cpu and cpuacct are often two names of one.
		tree, err := filepath.EvalSymlinks(filepath.Dir(file))
		if err != nil {
			return nil, err
		}
		trees[tree] = true
	}
	return slices.Sorted(func(yield func(string) bool) {
		for tree := range trees {
			if !yield(tree) {
				return
			}
		}
	}), nil
}

// makeCgroups makes a node's cgroup in every hierarchy: kubelet wants it there.
func makeCgroups(n int) error {
	trees, err := cgroupTrees()
	if err != nil {
		return err
	}
	for _, tree := range trees {
		dir := tree
		for _, name := range []string{cgroupName, nodeName(n)} {
			if err := passControllers(dir); err != nil {
				return err
			}
			dir = filepath.Join(dir, name)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			if err := inheritCPUs(dir); err != nil {
				return err
			}
		}
		if err := weigh(filepath.Join(tree, cgroupName)); err != nil {
			return err
		}
	}
	return nil
}

// passControllers lets the children of a cgroup of version 2 have its
// controllers; kubelet does so further down.
func passControllers(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(string(text)) {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+name), 0o644); err != nil {
			return fmt.Errorf("controller %s for %s: %w", name, dir, err)
		}
	}
	return nil
}

// inheritCPUs fills what is empty in a new cgroup of version 1, which until then
// takes no process.
func inheritCPUs(dir string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		parent, err := os.ReadFile(filepath.Join(filepath.Dir(dir), file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(dir, "cgroup.controllers")); err == nil {
			continue // version 2 inherits
		}
		if err := os.WriteFile(filepath.Join(dir, file), parent, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// weigh gives the pods of all nodes together the share of sixteen processes: that
// of one, which a cgroup has, starves them where other programs run.
func weigh(dir string) error {
	for file, weight := range map[string]string{"cpu.shares": "16384", "cpu.weight": "1600"} { // of version 1, and 2
		err := os.WriteFile(filepath.Join(dir, file), []byte(weight), 0o644)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("weight of the pods: %w", err)
		}
	}
	return nil
}

// removeCgroups removes the cgroups, which can be only when what ran in them is
// gone to the last process.
func removeCgroups(ctx context.Context) error {
	trees, err := cgroupTrees()
	if err != nil {
		return nil // nothing to remove
	}
	return await(ctx, "removal of cgroups", 20*time.Second, func(context.Context) error {
		for _, tree := range trees {
			if err := removeTree(filepath.Join(tree, cgroupName)); err != nil {
				return err
			}
		}
		return nil
	})
}

// removeTree removes the folders of a cgroup from the bottom up. Its files go
// with them, and cannot be removed before.
func removeTree(root string) error {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, dir := range slices.Backward(dirs) {
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
