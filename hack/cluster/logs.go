//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// copyLogs copies what the programs and the pods have written, and where the API
// server answers what it knows, to a folder.
func (c cluster) copyLogs(ctx context.Context, to string) error {
	if _, err := os.Stat(c.logs()); err != nil {
		return fmt.Errorf("no logs: %w", err)
	}
	err := copyTree(c.logs(), filepath.Join(to, "programs"))
	nodes, _ := filepath.Glob(c.file("node[0-9]"))
	for _, node := range nodes {
		pods := filepath.Join(node, "var/log/pods")
		if _, statErr := os.Stat(pods); statErr == nil {
			err = errors.Join(err, copyTree(pods, filepath.Join(to, "pods")))
		}
	}
	if _, pidErr := c.pid(); pidErr == nil {
		err = errors.Join(err, describe(ctx, to))
	}
	return err
}

// describe writes what the API server knows.
func describe(ctx context.Context, to string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for file, line := range map[string]string{
		"objects.txt": "get nodes,pods,deployments,statefulsets,services,endpointslices,pdb,pvc -A -o wide",
		"pods.txt":    "describe pods -A",
		"nodes.txt":   "describe nodes",
		"events.txt":  "get events -A --sort-by=.lastTimestamp",
	} {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		cmd := exec.CommandContext(ctx, self, append([]string{"exec", "kubectl"}, strings.Fields(line)...)...)
		text, runErr := cmd.CombinedOutput()
		cancel()
		if runErr != nil {
			text = fmt.Appendf(text, "%s: %v\n", line, runErr)
		}
		err = errors.Join(err, os.WriteFile(filepath.Join(to, file), text, 0o644))
	}
	return err
}

// copyTree copies files into a folder that may hold some already. What vanishes
// meanwhile is left out: pods come and go.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, below), 0o755)
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, below), content, 0o644)
	})
}
