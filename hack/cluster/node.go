//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// runNode is a node: containerd, kubelet and kube-proxy, with images to begin
// with.
func (c cluster) runNode(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New(roleNode + " is for the cluster itself")
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	nodes, err := c.readNumber(nodesFile)
	if err != nil {
		return err
	}
	dir, err := c.read(programsFile)
	if err != nil {
		return err
	}
	if err := c.setUpMachine(ctx, n, nodes); err != nil {
		return err
	}
	exits := make(chan error)
	go func() {
		if err := c.startServices(ctx, exits, programs{dir: dir}, n, args[1:]); err != nil {
			exits <- err
		}
	}()
	go func() { exits <- c.enforce(ctx) }()
	return <-exits
}

// setUpMachine makes of what the process is in something like a machine.
func (c cluster) setUpMachine(ctx context.Context, n, nodes int) error {
	if err := ownMounts(); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(nodeName(n))); err != nil {
		return err
	}
	if n > 1 {
		if err := setUpNode(ctx, n, nodes); err != nil {
			return err
		}
	}
	if err := makeCgroups(n); err != nil {
		return err
	}
	if err := c.hideSettings(n); err != nil {
		return err
	}
	for _, dir := range nodeDirs() {
		if err := bind(filepath.Join(c.node(n), dir), "/"+dir); err != nil {
			return err
		}
	}
	return nil
}

// nodeDirs are the folders that each node has of its own, with all that its
// programs keep. The addresses given to pods are among that: nodes that share
// the list use an address again at once, and probes reach the wrong pod.
func nodeDirs() []string { return []string{"run", "var/lib", "var/log"} }

// hideSettings shows kubelet the settings of the kernel that it wants, as it
// would change them for the whole machine.
func (c cluster) hideSettings(n int) error {
	settings := map[string]string{
		"vm/overcommit_memory":      "1",
		"vm/panic_on_oom":           "0",
		"kernel/panic":              "10",
		"kernel/panic_on_oops":      "1",
		"kernel/keys/root_maxkeys":  "1000000",
		"kernel/keys/root_maxbytes": "25000000",
	}
	for name, value := range settings {
		real := filepath.Join("/proc/sys", name)
		if _, err := os.Stat(real); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		shown := filepath.Join(c.node(n), "sys", name)
		if err := os.MkdirAll(filepath.Dir(shown), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(shown, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if err := unix.Mount(shown, real, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("show %s: %w", real, err)
		}
	}
	return nil
}

func (c cluster) startServices(ctx context.Context, exits chan<- error, p programs, n int, images []string) error {
	if err := c.writeNodeConfig(n); err != nil {
		return err
	}
	file := func(name string) string { return filepath.Join(c.node(n), name) }
	if err := c.start(exits, nodeName(n)+"-containerd", "containerd", "--config", file("containerd.toml")); err != nil {
		return err
	}
	err := await(ctx, "containerd", time.Minute, func(ctx context.Context) error {
		_, err := output(command(ctx, "ctr", "-a", c.socket(n), "version"))
		return err
	})
	if err != nil {
		return err
	}
	if err := c.loadNode(ctx, n, images); err != nil {
		return err
	}
	err = c.start(exits, nodeName(n)+"-kubelet", p.path("kubelet"),
		"--config="+file("kubelet.json"),
		"--root-dir=/var/lib/kubelet",
		"--kubeconfig="+filepath.Join(c.pki(), nodeName(n)+".kubeconfig"),
		"--hostname-override="+nodeName(n),
		"--node-ip="+nodeAddress(n))
	if err != nil {
		return err
	}
	return c.start(exits, nodeName(n)+"-kube-proxy", p.path("kube-proxy"), "--config="+file("kube-proxy.json"))
}

func (c cluster) writeNodeConfig(n int) error {
	cni, ok := cniDir()
	if !ok {
		return errors.New("no network plugins")
	}
	if err := os.WriteFile(filepath.Join(c.node(n), "containerd.toml"), []byte(c.containerdConfig(n, cni)), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(c.node(n), "resolv.conf"), nil, 0o644); err != nil {
		return err
	}
	for name, config := range map[string]any{
		"net/10-gohub.conflist": networkConfig(n),
		"kubelet.json":          c.kubeletConfig(n),
		"kube-proxy.json":       c.proxyConfig(n),
	} {
		file := filepath.Join(c.node(n), name)
		text, err := json.MarshalIndent(config, "", "  ")
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
