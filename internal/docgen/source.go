package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"strings"
)

// source is what the comments of a package's structures say.
type source struct {
	// docs has the text of every key, by path; list items as "rooms[].pattern".
	docs map[string]string
	// sections are the headings of the root structure and the path of the
	// first key below each.
	sections []section
}

type section struct {
	title string
	first string
}

// parseSource reads the structure named root in the package in dir, and the
// structures it holds.
func parseSource(dir, root string) (source, error) {
	fset := token.NewFileSet()
	files, err := parseDir(fset, dir)
	if err != nil {
		return source{}, err
	}
	r := reader{structs: map[string]*ast.StructType{}, docs: map[string]string{}}
	var comments []*ast.CommentGroup
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok {
				r.structs[spec.Name.Name] = s
				if spec.Name.Name == root {
					comments = f.Comments
				}
			}
			return false
		})
	}
	if r.structs[root] == nil {
		return source{}, fmt.Errorf("no structure %s in %s", root, dir)
	}
	if err := r.read(root, ""); err != nil {
		return source{}, err
	}
	return source{docs: r.docs, sections: sectionsOf(r.structs[root], comments)}, nil
}

func parseDir(fset *token.FileSet, dir string) ([]*ast.File, error) {
	names, err := goFiles(dir)
	if err != nil {
		return nil, err
	}
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

type reader struct {
	structs map[string]*ast.StructType
	docs    map[string]string
}

// read notes the comment of every field of the structure under its path.
func (r *reader) read(name, path string) error {
	for _, field := range r.structs[name].Fields.List {
		key, err := jsonKey(field)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		at := key
		if path != "" {
			at = path + "." + key
		}
		text := strings.Join(strings.Fields(field.Doc.Text()), " ")
		if text == "" {
			return fmt.Errorf("%s: the field of %q has no comment", name, at)
		}
		r.docs[at] = text
		inner, isList := typeOf(field.Type)
		if r.structs[inner] == nil {
			continue
		}
		if isList {
			at += "[]"
		}
		if err := r.read(inner, at); err != nil {
			return err
		}
	}
	return nil
}

func jsonKey(field *ast.Field) (string, error) {
	if len(field.Names) != 1 || field.Tag == nil {
		return "", fmt.Errorf("every field stands alone and has a json tag")
	}
	tag, err := strconv.Unquote(field.Tag.Value)
	if err != nil {
		return "", err
	}
	return reflect.StructTag(tag).Get("json"), nil
}

// typeOf returns the name of a type, or of the items of a list.
func typeOf(expr ast.Expr) (name string, isList bool) {
	if list, ok := expr.(*ast.ArrayType); ok {
		name, _ = typeOf(list.Elt)
		return name, true
	}
	if ident, ok := expr.(*ast.Ident); ok {
		return ident.Name, false
	}
	return "", false
}

// sectionsOf finds the comments "# Title" that stand alone between fields.
func sectionsOf(s *ast.StructType, comments []*ast.CommentGroup) []section {
	var sections []section
	for _, c := range comments {
		title, ok := strings.CutPrefix(strings.TrimSpace(c.Text()), "# ")
		if !ok || c.Pos() < s.Pos() || c.Pos() > s.End() {
			continue
		}
		for _, field := range s.Fields.List {
			if field.Pos() > c.End() {
				key, err := jsonKey(field)
				if err == nil {
					sections = append(sections, section{title: title, first: key})
				}
				break
			}
		}
	}
	return sections
}
