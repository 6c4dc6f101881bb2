package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/chenxilol/gohub/hack/image/oci"
)

// Where the program lies in its image.
const programDir = "usr/local/bin"

// program is a main package of the module.
type program struct{ pkg, name string }

// listPrograms finds the main packages among those of the patterns.
func listPrograms(ctx context.Context, patterns []string) ([]program, error) {
	args := append([]string{"list", "-f", `{{if eq .Name "main"}}{{.ImportPath}}{{end}}`}, patterns...)
	out, err := output(ctx, nil, "go", args...)
	if err != nil {
		return nil, err
	}
	var programs []program
	for pkg := range strings.FieldsSeq(out) {
		programs = append(programs, program{pkg: pkg, name: path.Base(pkg)})
	}
	if len(programs) == 0 {
		return nil, fmt.Errorf("no program in %s", strings.Join(patterns, " "))
	}
	return programs, nil
}

// images builds the program for each platform.
func (p program) images(ctx context.Context, o options, base oci.Layer, c commit) ([]oci.Image, error) {
	var images []oci.Image
	for _, platform := range o.platforms {
		content, err := p.build(ctx, platform)
		if err != nil {
			return nil, err
		}
		own := oci.Layer{{Path: path.Join(programDir, p.name), Mode: 0o755, Content: content}}
		images = append(images, oci.Image{
			Platform: platform,
			Layers:   []oci.Layer{base, own},
			Created:  c.time,
			Config: oci.Config{
				User:       "65532:65532",
				Env:        []string{"PATH=/" + programDir},
				Entrypoint: []string{"/" + path.Join(programDir, p.name)},
				WorkingDir: "/",
				Labels:     p.labels(o.version, c),
			},
		})
	}
	return images, nil
}

// labels are those of the OCI image specification, "Annotations".
func (p program) labels(version string, c commit) map[string]string {
	const source = "https://github.com/chenxilol/gohub"
	labels := map[string]string{
		"org.opencontainers.image.title":    "gohub-" + p.name,
		"org.opencontainers.image.version":  version,
		"org.opencontainers.image.created":  c.time.UTC().Format(time.RFC3339),
		"org.opencontainers.image.source":   source,
		"org.opencontainers.image.url":      source,
		"org.opencontainers.image.licenses": "MIT",
	}
	if c.revision != "" {
		labels["org.opencontainers.image.revision"] = c.revision
	}
	return labels
}

// build returns the program, linked without anything of the machine it is built
// on: no C library, no paths, and the same instructions whatever this CPU has.
func (p program) build(ctx context.Context, platform oci.Platform) ([]byte, error) {
	dir, err := os.MkdirTemp("", "gohub-image")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, p.name)
	environ := []string{
		"CGO_ENABLED=0", "GOOS=" + platform.OS, "GOARCH=" + platform.Architecture,
		"GOAMD64=v1", "GOARM64=v8.0", "GOARM=" + strings.TrimPrefix(platform.Variant, "v"),
		"GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off",
	}
	if _, err := output(ctx, environ, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, p.pkg); err != nil {
		return nil, fmt.Errorf("for %s: %w", platform, err)
	}
	return os.ReadFile(file)
}

// baseLayer is what every image has below its program.
func baseLayer() oci.Layer {
	return oci.Layer{
		{Path: "etc/passwd", Mode: 0o644, Content: []byte("root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n")},
		{Path: "etc/group", Mode: 0o644, Content: []byte("root:x:0:\nnonroot:x:65532:\n")},
		{Path: "etc/ssl/certs/ca-certificates.crt", Mode: 0o644, Content: authorities()},
		{Path: "tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777},
	}
}
