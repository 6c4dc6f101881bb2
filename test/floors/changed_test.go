package floors

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// changed returns the identifiers at the root of everything a file assigns to,
// deletes from, clears, copies into or takes the address of, also by calling a
// method that has a pointer receiver.
func changed(file *ast.File, info *types.Info) []*ast.Ident {
	var ids []*ast.Ident
	add := func(targets ...ast.Expr) {
		for _, x := range targets {
			if id := root(x); id != nil {
				ids = append(ids, id)
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			add(n.Lhs...)
		case *ast.IncDecStmt:
			add(n.X)
		case *ast.RangeStmt:
			add(n.Key, n.Value)
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				add(n.X)
			}
		case *ast.SelectorExpr:
			if s := info.Selections[n]; s != nil && s.Kind() == types.MethodVal && !isPointer(s.Recv()) && hasPointerReceiver(s.Obj()) {
				add(n.X)
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && slices.Contains([]string{"delete", "clear", "copy"}, f.Name) && len(n.Args) > 0 {
				add(n.Args[0])
			}
		}
		return true
	})
	return ids
}

func isPointer(t types.Type) bool {
	_, ok := t.Underlying().(*types.Pointer)
	return ok
}

func hasPointerReceiver(method types.Object) bool {
	recv := method.Type().(*types.Signature).Recv()
	return recv != nil && isPointer(recv.Type())
}

// root returns the variable that x is a part of: v of v.f[i].g, and other of
// other.V, a variable of another package.
func root(x ast.Expr) *ast.Ident {
	for {
		switch e := x.(type) {
		case *ast.Ident:
			return e
		case *ast.SelectorExpr:
			x = e.X
		case *ast.IndexExpr:
			x = e.X
		case *ast.SliceExpr:
			x = e.X
		case *ast.StarExpr:
			x = e.X
		case *ast.ParenExpr:
			x = e.X
		default:
			return nil
		}
	}
}

// resolve finds what identifiers mean within the package. Other packages are
// empty for it, and the errors that gives are of no interest.
func resolve(fset *token.FileSet, files []*ast.File) *types.Info {
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	config := types.Config{Importer: nothing{}, Error: func(error) {}, FakeImportC: true}
	_, _ = config.Check("p", fset, files, info)
	return info
}

// nothing imports every package as an empty one.
type nothing struct{}

func (nothing) Import(path string) (*types.Package, error) {
	p := types.NewPackage(path, path[strings.LastIndex(path, "/")+1:])
	p.MarkComplete()
	return p, nil
}
