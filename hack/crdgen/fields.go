package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

// entry is one field of the resource.
type entry struct {
	path     string // below spec or status, "[]" for the items of a list
	goType   reflect.Type
	schema   props
	item     *props // of a list
	required bool
	fields   []entry // those of our own types; Kubernetes describes its own
}

// fieldsOf returns the fields of the field named name of the root type.
func fieldsOf(root reflect.Type, name string, schema props) []entry {
	for i := range root.NumField() {
		if field := root.Field(i); jsonName(field) == name {
			return fields(field.Type, "", schema.Properties[name])
		}
	}
	return nil
}

func fields(t reflect.Type, path string, schema props) []entry {
	var entries []entry
	for i := range t.NumField() {
		field := t.Field(i)
		name := jsonName(field)
		if name == "" { // inline
			entries = append(entries, fields(field.Type, path, schema)...)
			continue
		}
		e := entry{path: join(path, name), goType: pointee(field.Type), schema: schema.Properties[name]}
		for _, required := range schema.Required {
			e.required = e.required || required == name
		}
		inner, innerPath, innerSchema := e.goType, e.path, e.schema
		if inner.Kind() == reflect.Slice && e.schema.Items != nil {
			e.item = e.schema.Items.Schema
			inner, innerPath, innerSchema = pointee(inner.Elem()), e.path+"[]", *e.item
		}
		if inner.Kind() == reflect.Struct && inner.PkgPath() == ourPackage() {
			e.fields = fields(inner, innerPath, innerSchema)
		}
		entries = append(entries, e)
	}
	return entries
}

func ourPackage() string { return reflect.TypeFor[v1alpha1.GoHubCluster]().PkgPath() }

func jsonName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

func pointee(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// facts are the type, the default and the bounds.
func (e entry) facts() []string {
	facts := []string{typeName(e.goType)}
	switch {
	case e.required:
		facts = append(facts, "required")
	case e.schema.Default != nil:
		facts = append(facts, "default `"+compact(e.schema.Default.Raw)+"`")
	}
	limits := e.schema
	if e.item != nil && len(e.item.Enum) > 0 {
		limits.Enum = e.item.Enum
	}
	if len(limits.Enum) > 0 {
		words := make([]string, len(limits.Enum))
		for i, word := range limits.Enum {
			words[i] = "`" + strings.Trim(string(word.Raw), `"`) + "`"
		}
		facts = append(facts, "one of "+strings.Join(words, ", "))
	}
	facts = append(facts, span("", limits.Minimum, limits.Maximum)...)
	facts = append(facts, span(" items", limits.MinItems, limits.MaxItems)...)
	return append(facts, span(" characters", limits.MinLength, limits.MaxLength)...)
}

// span writes bounds as "2 to 4 items".
func span[T int64 | float64](unit string, least, most *T) []string {
	number := func(n T) string { return strconv.FormatFloat(float64(n), 'f', -1, 64) }
	switch {
	case least != nil && most != nil:
		return []string{number(*least) + " to " + number(*most) + unit}
	case least != nil:
		return []string{"at least " + number(*least) + unit}
	case most != nil:
		return []string{"at most " + number(*most) + unit}
	}
	return nil
}

// compact writes a default as a user would: plain where it is one word.
func compact(raw []byte) string {
	var value any
	if json.Unmarshal(raw, &value) == nil {
		if s, ok := value.(string); ok {
			return s
		}
	}
	return string(raw)
}

func typeName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[metav1.Duration]():
		return "duration"
	case reflect.TypeFor[resource.Quantity]():
		return "quantity"
	case reflect.TypeFor[runtime.RawExtension]():
		return "object"
	}
	switch {
	case t.Kind() == reflect.Slice:
		return "list of " + plural(pointee(t.Elem()))
	case t.Kind() == reflect.Map:
		return "texts by name"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.String:
		return "text"
	case t.Kind() == reflect.Struct && t.PkgPath() != ourPackage():
		return kubernetesType(t)
	case t.Kind() == reflect.Struct:
		return "object"
	default:
		return "number"
	}
}

func plural(t reflect.Type) string {
	switch name := typeName(t); {
	case t.Kind() == reflect.Struct && t.PkgPath() != ourPackage():
		return name
	default:
		return name + "s"
	}
}

// kubernetesType names a type of Kubernetes, such as "Affinity (core/v1)".
func kubernetesType(t reflect.Type) string {
	parts := strings.Split(t.PkgPath(), "/")
	return fmt.Sprintf("%s (%s)", t.Name(), strings.Join(parts[len(parts)-2:], "/"))
}
