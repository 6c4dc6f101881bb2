package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
)

// conditions is what conditions.go says: the condition types, and the reasons in
// their groups.
type conditions struct {
	types  []constant
	groups []group
}

// group is a block of reasons and the comment above it, such as "The reasons of
// Ready.".
type group struct {
	title   string
	reasons []constant
}

type constant struct {
	value string
	doc   string
}

func readConditions(apiDir string) (conditions, error) {
	fset := token.NewFileSet()
	source, err := parser.ParseFile(fset, filepath.Join(apiDir, "conditions.go"), nil, parser.ParseComments)
	if err != nil {
		return conditions{}, fmt.Errorf("read the conditions: %w", err)
	}
	var all conditions
	for _, decl := range source.Decls {
		block, ok := decl.(*ast.GenDecl)
		if !ok || block.Tok != token.CONST {
			continue
		}
		constants, kind, err := constantsOf(block)
		if err != nil {
			return conditions{}, err
		}
		if kind == "ConditionType" {
			all.types = append(all.types, constants...)
			continue
		}
		title := strings.TrimSpace(block.Doc.Text())
		if len(block.Specs) == 1 && !block.Lparen.IsValid() {
			title, constants[0].doc, _ = strings.Cut(oneLine(title), ": ")
			_, title, _ = strings.Cut(title, ", ")
			title = "The reason " + title + "."
		}
		all.groups = append(all.groups, group{title: title, reasons: constants})
	}
	if len(all.types) == 0 || len(all.groups) == 0 {
		return conditions{}, fmt.Errorf("read the conditions: found %d types and %d groups of reasons", len(all.types), len(all.groups))
	}
	return all, nil
}

// constantsOf returns the constants of a block and the name of their type.
func constantsOf(block *ast.GenDecl) (all []constant, kind string, err error) {
	for _, spec := range block.Specs {
		value := spec.(*ast.ValueSpec)
		literal, isLiteral := value.Values[0].(*ast.BasicLit)
		named, isNamed := value.Type.(*ast.Ident)
		if !isLiteral || !isNamed {
			return nil, "", fmt.Errorf("read the conditions: %s has no type or no literal", value.Names[0].Name)
		}
		text, err := strconv.Unquote(literal.Value)
		if err != nil {
			return nil, "", fmt.Errorf("read the conditions: %s: %w", value.Names[0].Name, err)
		}
		doc := oneLine(value.Doc.Text())
		doc = strings.TrimPrefix(strings.TrimPrefix(doc, value.Names[0].Name), ": ")
		all, kind = append(all, constant{value: text, doc: strings.TrimSpace(doc)}), named.Name
	}
	return all, kind, nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func writeConditions(b *bytes.Buffer, all conditions) {
	b.WriteString("\n## conditions\n\n| condition | |\n|---|---|\n")
	for _, c := range all.types {
		fmt.Fprintf(b, "| %s | %s |\n", c.value, escape(c.doc))
	}
	for _, g := range all.groups {
		fmt.Fprintf(b, "\n%s\n\n| reason | |\n|---|---|\n", oneLine(g.title))
		for _, r := range g.reasons {
			fmt.Fprintf(b, "| %s | %s |\n", r.value, escape(r.doc))
		}
	}
}
