package floors

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"
	"testing"
)

// constant are package variables that the rule cannot tell from state, with
// the reason why they are none.
var constant = map[string]string{
	"internal/hub/conn.ping": "an encoded frame: frames never change once made",
	"internal/fault.planted": "the environment, read once; not in a hub without the tag faults",
}

// constructors make values that nobody changes afterwards.
var constructors = []string{
	"errors.New", "fmt.Errorf", "regexp.MustCompile", "reflect.TypeFor", "reflect.TypeOf", "strings.NewReplacer",
	"prometheus.NewDesc",
}

// TestNoPackageState checks that two servers in one process are strangers: a
// package-level variable must be
//
//   - "_" (an interface assertion), an embedded file, or
//   - an error, by its name, or
//   - a value that is written out in the source, no pointer and not of another
//     package's type, or that one of constructors made,
//
// and nothing may assign to it or into it, or take its address. The variables
// of other packages, net/http's for one, are nobody's to change either.
func TestNoPackageState(t *testing.T) {
	unused := maps.Clone(constant)
	for _, p := range listPackages(t) {
		for _, v := range stateIn(p.fset, p.files) {
			name := p.path + "." + v.name
			if _, ok := constant[name]; ok {
				delete(unused, name)
				continue
			}
			t.Errorf("%s: package variable %s %s", v.at, name, v.problem)
		}
	}
	for name := range unused {
		t.Errorf("%s is listed as constant, but needs no exception", name)
	}
}

// stateVar is a package-level variable that may change.
type stateVar struct {
	at            token.Position
	name, problem string
}

// stateIn returns a package's variables that break the rule, in the order of
// their names.
func stateIn(fset *token.FileSet, files []*ast.File) []stateVar {
	info := resolve(fset, files)
	found := map[string]stateVar{}
	for _, file := range files {
		for _, spec := range varSpecs(file) {
			for i, name := range spec.Names {
				if problem := declarationProblem(spec, i); problem != "" {
					found[name.Name] = stateVar{fset.Position(name.Pos()), name.Name, problem}
				}
			}
		}
		for _, id := range changed(file, info) {
			if isPackageLevel(info.Uses[id]) {
				found[id.Name] = stateVar{fset.Position(id.Pos()), id.Name, "is changed here"}
			}
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b stateVar) int { return cmp.Compare(a.name, b.name) })
}

// isPackageLevel tells variables outside functions, and the names of packages,
// through which only such variables are changed.
func isPackageLevel(object types.Object) bool {
	switch object := object.(type) {
	case *types.PkgName:
		return true
	case *types.Var:
		return object.Parent() != nil && object.Parent() == object.Pkg().Scope()
	default:
		return false
	}
}

// varSpecs returns the file's package-level variables that are not embedded
// files.
func varSpecs(file *ast.File) []*ast.ValueSpec {
	var specs []*ast.ValueSpec
	for _, decl := range file.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.VAR {
			continue
		}
		for _, s := range group.Specs {
			if spec := s.(*ast.ValueSpec); !embedded(group.Doc) && !embedded(spec.Doc) {
				specs = append(specs, spec)
			}
		}
	}
	return specs
}

func embedded(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

// declarationProblem says why the variable spec.Names[i] may be state.
func declarationProblem(spec *ast.ValueSpec, i int) string {
	name := spec.Names[i].Name
	switch {
	case name == "_":
		return ""
	case len(spec.Values) == 0:
		return "has no value: it waits for one"
	case strings.HasPrefix(name, "err") || strings.HasPrefix(name, "Err"):
		return ""
	case len(spec.Values) != len(spec.Names) || !writtenOut(spec.Values[i]):
		return "is made by a call, a pointer, or of another package's type: it may be state"
	}
	return ""
}

// writtenOut tells whether a value stands in the source or comes from one of
// the constructors.
func writtenOut(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.UnaryExpr:
		if x.Op == token.AND {
			return false
		}
	case *ast.CompositeLit:
		if _, foreign := x.Type.(*ast.SelectorExpr); foreign {
			return false
		}
	}
	ok := true
	ast.Inspect(x, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false // it runs later: a function is no state
		case *ast.CallExpr:
			ok = ok && slices.Contains(constructors, types.ExprString(callee(n)))
		}
		return ok
	})
	return ok
}

// callee returns what is called, without type arguments.
func callee(call *ast.CallExpr) ast.Expr {
	switch f := call.Fun.(type) {
	case *ast.IndexExpr:
		return f.X
	case *ast.IndexListExpr:
		return f.X
	default:
		return f
	}
}

func TestStateIn(t *testing.T) {
	for _, c := range []struct{ name, source, want string }{
		{"assertion", `var _ error = (*T)(nil)`, ""},
		{"embedded", "//go:embed x\nvar files embed.FS", ""},
		{"embedded in a group", "var (\n//go:embed x\nfiles embed.FS\n)", ""},
		{"error", `var ErrX = New("x")`, ""},
		{"error that is set", `var errX error`, "errX"},
		{"error changed", `var errX = New("x"); func f() { errX = nil }`, "errX"},
		{"table", `var m = map[string][]int{"a": {1}}; func f() int { return m["a"][0] }`, ""},
		{"table changed", `var m = map[string][]int{}; func f() { m["a"][0]++ }`, "m"},
		{"table deleted from", `var m = map[string]int{}; func f() { delete(m, "a") }`, "m"},
		{"local of the same name", `var m = map[string]int{}; func f() { m := map[string]int{}; m["a"] = 1 }`, ""},
		{"field of the same name", `var m = 1; type T struct{ m int }; func (t *T) f() { t.m = 2 }`, ""},
		{"number changed", `var n = 1; func f() { n++ }`, "n"},
		{"address", `var n = 1; func f() *int { return &n }`, "n"},
		{"range", `var n = 1; func f() { for n = range 3 {} }`, "n"},
		{"constructor", `var r = regexp.MustCompile("x")`, ""},
		{"generic constructor", `var d = reflect.TypeFor[int]()`, ""},
		{"lock", `var mu sync.Mutex`, "mu"},
		{"pool", `var pool = sync.Pool{}; func f() { pool.Get() }`, "pool"},
		{"once", `var get = sync.OnceValue(func() int { return 1 })`, "get"},
		{"make", `var m = make(map[string]int)`, "m"},
		{"pointer", `var client = &http.Client{}`, "client"},
		{"another package's variable", `import "net/http"; func f() { http.DefaultClient.Timeout = 1 }`, "http"},
		{"another package's type", `import "net/http"; func f() any { return &http.Client{} }`, ""},
		{"method that may change it", `type T struct{ n int }; func (t *T) f() {}; var v = T{}; func g() { v.f() }`, "v"},
		{"method that may not", `type T struct{ n int }; func (t T) f() {}; var v = T{}; func g() { v.f() }`, ""},
		{"function", `var now = func() int { return f() }`, ""},
		{"two", `var a, b = f()`, "a b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, "p.go", "package p\n"+c.source, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, v := range stateIn(fset, []*ast.File{file}) {
				names = append(names, v.name)
			}
			if got := strings.Join(names, " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
