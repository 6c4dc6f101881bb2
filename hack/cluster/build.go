//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// builder makes what a cluster is started with, once.
type builder struct {
	root     string // the top of the repository
	cache    string // where it is kept
	progress io.Writer
}

// programs is a folder with what was built.
type programs struct {
	dir    string   // etcd, kube-apiserver, kubectl, ... and coredns, pause, nats-server
	images []string // archives that a node needs before it runs anything
}

func (p programs) path(name string) string { return filepath.Join(p.dir, name) }

// links are the names of the one program that is most of Kubernetes.
func links() []string {
	return []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"}
}

func newBuilder(ctx context.Context, progress io.Writer) (builder, error) {
	gomod, err := output(command(ctx, "go", "env", "GOMOD"))
	if err != nil {
		return builder{}, err
	}
	cache, err := cacheDir()
	if err != nil {
		return builder{}, err
	}
	b := builder{root: filepath.Dir(gomod), cache: cache, progress: progress}
	if _, err := os.Stat(filepath.Join(b.root, source)); err != nil {
		return builder{}, fmt.Errorf("run it inside the repository: %w", err)
	}
	return b, nil
}

// cacheDir is where things stay that take long to build.
func cacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("folder for what is built: %w", err)
	}
	return filepath.Join(dir, "gohub-test"), nil
}

// all returns everything, built and installed where it is not there yet.
func (b builder) all(ctx context.Context) (programs, error) {
	if err := installPackages(ctx, b.progress); err != nil {
		return programs{}, err
	}
	p, err := b.kubernetes(ctx)
	if err != nil {
		return programs{}, err
	}
	for _, name := range []string{"coredns", "pause"} {
		if err := b.program(ctx, p, source, "./"+name, name); err != nil {
			return programs{}, err
		}
	}
	if err := b.program(ctx, p, ".", natsModule, "nats-server"); err != nil {
		return programs{}, err
	}
	p.images, err = b.images(ctx, p)
	return p, err
}

// kubernetes builds the one big program and links its names.
func (b builder) kubernetes(ctx context.Context) (programs, error) {
	key, err := b.fingerprint()
	if err != nil {
		return programs{}, err
	}
	p := programs{dir: filepath.Join(b.cache, "kubernetes-"+key)}
	if err := b.program(ctx, p, source, "./kubernetes", "kubernetes"); err != nil {
		return programs{}, err
	}
	for _, name := range links() {
		if err := os.Symlink("kubernetes", p.path(name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return programs{}, err
		}
	}
	return p, nil
}

// program builds a package of the module in the folder module, unless it is
// built.
func (b builder) program(ctx context.Context, p programs, module, pkg, name string) error {
	if _, err := os.Stat(p.path(name)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	fmt.Fprintf(b.progress, "build %s, once; it is kept in %s\n", name, p.dir)
	start := time.Now()
	link, err := b.linkFlags()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return err
	}
	own := filepath.Join(p.dir, fmt.Sprintf("%s.%d", name, os.Getpid()))
	defer func() { _ = os.Remove(own) }()
	args := append(append([]string{"build"}, buildFlags()...), "-ldflags="+link, "-o", own, pkg)
	cmd := command(ctx, "go", args...)
	cmd.Dir = filepath.Join(b.root, module)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if _, err := output(cmd); err != nil {
		return err
	}
	// At once, as another may build the same.
	if err := os.Rename(own, p.path(name)); err != nil {
		return err
	}
	fmt.Fprintf(b.progress, "built %s in %s\n", name, since(start))
	return nil
}
