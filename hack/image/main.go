// Command image builds programs of this module and writes each as a container
// image, without Docker: an archive of the OCI image layout that `kind load
// image-archive`, `ctr images import`, `podman load` and `skopeo copy` take. Two
// builds of one commit give the same bytes.
//
//	go run ./hack/image [flags] [packages]
//
// The packages are those below cmd unless others are named. Each image holds one
// static program, certificates of public authorities, no shell and no package
// manager; it runs as user 65532, and writes to no file of its own.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/chenxilol/gohub/hack/image/oci"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// options is the command line.
type options struct {
	version   string
	prefix    string
	tags      []string
	out       string
	platforms []oci.Platform
	packages  []string
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	var tags, platforms string
	fs := flag.NewFlagSet("image", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.version, "version", "devel", "the version, in the files' names and the label")
	fs.StringVar(&o.prefix, "prefix", "ghcr.io/chenxilol/gohub-", "what the images' names begin with")
	fs.StringVar(&tags, "tags", "", "tags of the images, by commas; the version if empty")
	fs.StringVar(&o.out, "out", "dist", "the folder for the archives")
	fs.StringVar(&platforms, "platforms", "linux/"+runtime.GOARCH, "platforms, by commas: linux/amd64,linux/arm64")
	if err := fs.Parse(args); err != nil {
		return options{}, err
	}
	if strings.ContainsAny(o.version, `/\`) {
		return options{}, fmt.Errorf("-version %q: want no slash, as it is a part of files' names", o.version)
	}
	o.tags = []string{oci.Tag(o.version)}
	if tags != "" {
		o.tags = strings.Split(tags, ",")
	}
	for text := range strings.SplitSeq(platforms, ",") {
		p, err := oci.ParsePlatform(text)
		if err != nil {
			return options{}, fmt.Errorf("-platforms: %w", err)
		}
		o.platforms = append(o.platforms, p)
	}
	o.packages = fs.Args()
	if len(o.packages) == 0 {
		o.packages = []string{"./cmd/..."}
	}
	return o, nil
}

// run writes the images and prints, for each, its archive and its names.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	c, err := readCommit(ctx)
	if err != nil {
		return err
	}
	programs, err := listPrograms(ctx, o.packages)
	if err != nil {
		return err
	}
	base := baseLayer()
	for _, p := range programs {
		images, err := p.images(ctx, o, base, c)
		if err != nil {
			return err
		}
		var names []string
		for _, tag := range o.tags {
			names = append(names, o.prefix+p.name+":"+tag)
		}
		file := filepath.Join(o.out, "gohub-"+p.name+"-"+o.version+".tar")
		if err := write(file, names, images); err != nil {
			return err
		}
		fmt.Fprintln(stdout, file, strings.Join(names, " "))
	}
	return nil
}

// write writes an archive whole or not at all.
func write(file string, names []string, images []oci.Image) error {
	var archive bytes.Buffer
	if err := oci.Write(&archive, names, images); err != nil {
		return fmt.Errorf("write image %s: %w", file, err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("write image: %w", err)
	}
	unfinished := file + ".new"
	if err := os.WriteFile(unfinished, archive.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write image: %w", err)
	}
	return os.Rename(unfinished, file)
}

// commit is what the images say about where they come from.
type commit struct {
	revision string    // empty outside of git
	time     time.Time // of the commit, or SOURCE_DATE_EPOCH
}
