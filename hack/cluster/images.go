//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/chenxilol/gohub/hack/image/oci"
)

// Images that only a cluster without a registry has.
const (
	pauseImage = "localhost/pause:1"
	dnsImage   = "localhost/coredns:1"
)

// redisVersion is the version that is installed.
func redisVersion(ctx context.Context) (string, error) {
	text, err := output(command(ctx, "redis-server", "--version"))
	if err != nil {
		return "", err
	}
	version := regexp.MustCompile(`v=(\S+)`).FindStringSubmatch(text)
	if version == nil {
		return "", fmt.Errorf("redis-server --version: no version in %q", text)
	}
	return version[1], nil
}

// images writes the images that a registry would give elsewhere, and returns
// their archives. Those of the buses have the names of the official ones.
func (b builder) images(ctx context.Context, p programs) ([]string, error) {
	nats, err := b.version("go.mod", natsModule)
	if err != nil {
		return nil, err
	}
	redis, err := redisVersion(ctx)
	if err != nil {
		return nil, err
	}
	images := []struct {
		name, user string
		programs   []string // the first one is run
	}{
		{pauseImage, "65535:65535", []string{p.path("pause")}},
		{dnsImage, "65532:65532", []string{p.path("coredns")}},
		{"docker.io/library/nats:" + nats, "", []string{p.path("nats-server")}},
		{"docker.io/library/redis:" + redis, "", []string{"/usr/bin/redis-server", "/usr/bin/redis-cli"}},
	}
	var archives []string
	for _, image := range images {
		// The name says what is in it, so an archive that is there stays.
		archive := filepath.Join(p.dir, "images", strings.NewReplacer("/", "_", ":", "_").Replace(image.name)+".tar")
		archives = append(archives, archive)
		_, err := os.Stat(archive)
		if errors.Is(err, fs.ErrNotExist) {
			err = writeImage(ctx, archive, image.name, image.user, image.programs)
		}
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", image.name, err)
		}
	}
	return archives, nil
}

// writeImage writes an image of programs of this machine and the libraries they
// are linked with.
func writeImage(ctx context.Context, archive, name, user string, files []string) error {
	layer := oci.Layer{{Path: "tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777}}
	libraries := map[string]bool{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		layer = append(layer, oci.File{Path: "usr/local/bin/" + filepath.Base(file), Mode: 0o755, Content: content})
		for _, library := range linked(ctx, file) {
			libraries[library] = true
		}
	}
	for library := range libraries {
		content, err := os.ReadFile(library)
		if err != nil {
			return err
		}
		layer = append(layer, oci.File{Path: strings.TrimPrefix(library, "/"), Mode: 0o755, Content: content})
	}
	var out bytes.Buffer
	image := oci.Image{
		Platform: oci.Platform{OS: "linux", Architecture: runtime.GOARCH},
		Layers:   []oci.Layer{layer},
		Created:  time.Unix(0, 0),
		Config: oci.Config{
			User:       user,
			Env:        []string{"PATH=/usr/local/bin"},
			Entrypoint: []string{"/usr/local/bin/" + filepath.Base(files[0])},
		},
	}
	if err := oci.Write(&out, []string{name}, []oci.Image{image}); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(archive), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(archive+".new", out.Bytes(), 0o644); err != nil {
		return err
	}
	return os.Rename(archive+".new", archive)
}

// linked returns the paths of a program's libraries and its loader; nothing for
// a static program, at which ldd fails.
func linked(ctx context.Context, file string) []string {
	text, err := output(command(ctx, "ldd", file))
	if err != nil {
		return nil
	}
	var paths []string
	for _, match := range regexp.MustCompile(`(?m)(/\S+) \(0x`).FindAllStringSubmatch(text, -1) {
		paths = append(paths, match[1])
	}
	return paths
}
