// Command docgen writes docs/configuration.md and the texts that flags show
// from the comments of pkg/config, so that neither can drift from the code.
//
// Run it from the module's root: go run ./internal/docgen. With -check it
// writes nothing and exits with 1 if a file is not up to date.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	root := flag.String("root", ".", "folder of the module")
	check := flag.Bool("check", false, "write nothing; exit with 1 if a file is not up to date")
	flag.Parse()
	if err := run(*root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "docgen:", err)
		os.Exit(1)
	}
}

// run generates every file below root, or checks that each is up to date.
func run(root string, check bool) error {
	files, err := generate(filepath.Join(root, "pkg", "config"))
	if err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(root, filepath.FromSlash(f.path))
		if check {
			err = compare(path, f)
		} else {
			err = write(path, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func write(path string, f file) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	return os.WriteFile(path, f.data, 0o644)
}

// compare fails with the first line that differs.
func compare(path string, f file) error {
	got, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("check %s: %w", f.path, err)
	}
	if bytes.Equal(got, f.data) {
		return nil
	}
	have, want := strings.Split(string(got), "\n"), strings.Split(string(f.data), "\n")
	n := 0
	for n < len(have) && n < len(want) && have[n] == want[n] {
		n++
	}
	return fmt.Errorf("%s is not up to date; run go run ./internal/docgen\nfirst difference in line %d:\n- %s\n+ %s",
		f.path, n+1, lineAt(have, n), lineAt(want, n))
}

func lineAt(lines []string, n int) string {
	if n < len(lines) {
		return lines[n]
	}
	return "(end of file)"
}
