package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/pkg/config"
)

const root = "../.."

func TestGeneratedFilesAreUpToDate(t *testing.T) {
	if err := run(root, true); err != nil {
		t.Error(err)
	}
}

func TestPageHasEveryKey(t *testing.T) {
	files, err := generate(filepath.Join(root, "pkg", "config"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(files[1].data)
	for _, k := range config.Keys() {
		want := []string{"# " + k.Path + "\n", "`" + k.Env + "`", "`--" + k.Flag + "`", "`" + k.Field + "`"}
		for _, k := range k.Items {
			want = append(want, "# "+k.Path+"\n")
		}
		for _, w := range want {
			if !strings.Contains(page, w) {
				t.Errorf("%s: the page does not hold %q", k.Path, w)
			}
		}
	}
	if strings.Contains(page, "\n\n\n") {
		t.Error("a key has no text")
	}
}

// copySource copies pkg/config below a new root and edits it.
func copySource(t *testing.T, old, new string) string {
	t.Helper()
	names, err := goFiles(filepath.Join(root, "pkg", "config"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	target := filepath.Join(dir, "pkg", "config")
	if err := os.MkdirAll(target, 0o755); err != nil {
		t.Fatal(err)
	}
	edited := false
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(data), old, new)
		edited = edited || text != string(data)
		if err := os.WriteFile(filepath.Join(target, filepath.Base(name)), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !edited {
		t.Fatalf("the source does not hold %q", old)
	}
	return dir
}

func TestCheckReportsDrift(t *testing.T) {
	dir := copySource(t, "// LogLevel is the least severe level", "// LogLevel is the lowest level")
	if err := run(dir, true); err == nil {
		t.Error("missing files pass the check")
	}
	if err := run(dir, false); err != nil {
		t.Fatal(err)
	}
	if err := run(dir, true); err != nil {
		t.Error(err)
	}
	path := filepath.Join(dir, "docs", "configuration.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "LogLevel is the lowest level") {
		t.Error("the page does not follow the comment")
	}
	if err := os.WriteFile(path, append(page, "more\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	err = run(dir, true)
	if err == nil || !strings.Contains(err.Error(), "docs/configuration.md is not up to date; run go run ./internal/docgen") {
		t.Errorf("got %v", err)
	}
}

func TestFieldWithoutCommentIsAnError(t *testing.T) {
	dir := copySource(t, "\t// LogLevel is the least severe level that is logged.\n", "")
	if err := run(dir, false); err == nil || !strings.Contains(err.Error(), `"logLevel" has no comment`) {
		t.Errorf("got %v", err)
	}
}
