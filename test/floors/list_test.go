package floors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/chenxilol/gohub"

// pkg is a package of the module without its tests, which may import anything.
type pkg struct {
	path    string   // below the module, "" for its root
	name    string   // of the package clause
	imports []string // import paths, those of other systems' files too
	deps    []string // everything that is linked with it on this system
	fset    *token.FileSet
	files   []*ast.File
}

// ours returns the imports from this module, as paths below it.
func (p pkg) ours() []string {
	var paths []string
	for _, path := range p.imports {
		if below, ok := strings.CutPrefix(path, module+"/"); ok {
			paths = append(paths, below)
		}
	}
	return paths
}

// listPackages reads all packages of the module.
func listPackages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list",
		"-json=Dir,ImportPath,Name,GoFiles,CgoFiles,IgnoredGoFiles,Deps", module+"/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, stderr.Bytes())
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		p, err := l.parse()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// listed is what go list says about a package.
type listed struct {
	Dir, ImportPath, Name                   string
	GoFiles, CgoFiles, IgnoredGoFiles, Deps []string
}

func (l listed) parse() (pkg, error) {
	p := pkg{path: strings.TrimPrefix(strings.TrimPrefix(l.ImportPath, module), "/"), name: l.Name, deps: l.Deps, fset: token.NewFileSet()}
	for _, name := range slices.Concat(l.GoFiles, l.CgoFiles, l.IgnoredGoFiles) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(p.fset, filepath.Join(l.Dir, name), nil, parser.ParseComments)
		if err != nil {
			return p, fmt.Errorf("parse package %q: %w", l.ImportPath, err)
		}
		p.files = append(p.files, file)
		for _, spec := range file.Imports {
			path, _ := strconv.Unquote(spec.Path.Value) // parsed
			p.imports = append(p.imports, path)
		}
	}
	slices.Sort(p.imports)
	p.imports = slices.Compact(p.imports)
	return p, nil
}
