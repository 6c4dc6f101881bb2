// Command crdgen writes what follows from the types of api/v1alpha1: their deep
// copies, the CRD in config/crd and in the chart, and docs/reference/gohubcluster.md.
//
// Run it from the module's root: make generate, which first makes the deep
// copies, without which the types do not compile. With -check it writes nothing
// and exits with 1 if a file is not up to date.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
)

func main() {
	check := flag.Bool("check", false, "write nothing; exit with 1 if a file is not up to date")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, ".", *check); err != nil {
		fmt.Fprintln(os.Stderr, "crdgen:", err)
		os.Exit(1)
	}
}

// file is one generated file; path is relative to the module's root.
type file struct {
	path string
	data []byte
}

// run generates every file below root, or checks that each is up to date.
func run(ctx context.Context, root string, check bool) error {
	files, err := controllerGen(ctx, root)
	if err != nil {
		return err
	}
	reference, err := reference(filepath.Join(root, apiDir), files[crdFile])
	if err != nil {
		return err
	}
	files[referenceFile] = reference
	files[chartCRDFile] = files[crdFile]
	for _, path := range slices.Sorted(maps.Keys(files)) {
		f := file{path: path, data: files[path]}
		if check {
			err = f.compare(root)
		} else {
			err = f.write(root)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f file) write(root string) error {
	path := filepath.Join(root, filepath.FromSlash(f.path))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	return os.WriteFile(path, f.data, 0o644)
}

// compare fails with the first line that differs.
func (f file) compare(root string) error {
	got, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(f.path)))
	if err != nil {
		return fmt.Errorf("check %s: %w", f.path, err)
	}
	if bytes.Equal(got, f.data) {
		return nil
	}
	have, want := bytes.Split(got, []byte("\n")), bytes.Split(f.data, []byte("\n"))
	n := 0
	for n < len(have) && n < len(want) && bytes.Equal(have[n], want[n]) {
		n++
	}
	return fmt.Errorf("%s is not up to date; run make generate\nfirst difference in line %d:\n- %s\n+ %s",
		f.path, n+1, lineAt(have, n), lineAt(want, n))
}

func lineAt(lines [][]byte, n int) []byte {
	if n < len(lines) {
		return lines[n]
	}
	return []byte("(end of file)")
}
