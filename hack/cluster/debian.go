//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// need is a program or a folder, and the package of Debian that has it.
type need struct{ what, pkg string }

func needs() []need {
	return []need{
		{"containerd", "containerd"},
		{"ctr", "containerd"},
		{"runc", "runc"},
		{"nft", "nftables"},
		{"ip", "iproute2"},
		{"mount", "mount"},
		{"redis-server", "redis-server"},
		{"redis-cli", "redis-tools"},
		{"ldd", "libc-bin"},
	}
}

// cniDir is the folder with the network plugins; packages differ about it.
func cniDir() (string, bool) {
	for _, dir := range []string{"/usr/lib/cni", "/opt/cni/bin"} {
		if _, err := os.Stat(filepath.Join(dir, "bridge")); err == nil {
			return dir, true
		}
	}
	return "", false
}

// installPackages installs the packages of Debian that are missing.
func installPackages(ctx context.Context, progress io.Writer) error {
	missing := missingPackages()
	if len(missing) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("missing: %s; as root, with apt-get, they are installed", strings.Join(missing, " "))
	}
	fmt.Fprintln(progress, "install", strings.Join(missing, " "))
	if err := runAll(ctx, "apt-get update -qq"); err != nil {
		return err
	}
	args := append([]string{"install", "-y", "-qq", "--no-install-recommends"}, missing...)
	cmd := command(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if _, err := output(cmd); err != nil {
		return err
	}
	if missing := missingPackages(); len(missing) > 0 {
		return fmt.Errorf("installed, and still missing: %s", strings.Join(missing, " "))
	}
	return nil
}

func missingPackages() []string {
	var missing []string
	for _, n := range needs() {
		if _, err := exec.LookPath(n.what); err != nil {
			missing = append(missing, n.pkg)
		}
	}
	if _, ok := cniDir(); !ok {
		missing = append(missing, "containernetworking-plugins")
	}
	return missing
}
