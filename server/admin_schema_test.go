package server_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sigs.k8s.io/yaml"

	"github.com/chenxilol/gohub/pkg/api"
)

// object is an object of the OpenAPI file.
type object map[string]any

// openAPI is the file, with what the tests need to know of its form.
type openAPI struct {
	t    *testing.T
	root object
}

func readOpenAPI(t *testing.T) openAPI {
	t.Helper()
	var root object
	if err := yaml.UnmarshalStrict([]byte(api.OpenAPI), &root); err != nil {
		t.Fatal(err)
	}
	return openAPI{t, root}
}

// get follows keys, and references on the way; it returns nil where there is
// nothing.
func (o openAPI) get(from any, keys ...string) object {
	o.t.Helper()
	m := o.resolve(from)
	for _, key := range keys {
		m = o.resolve(m[key])
	}
	return m
}

func (o openAPI) resolve(v any) object {
	o.t.Helper()
	var m object
	switch v := v.(type) {
	case object:
		m = v
	case map[string]any:
		m = v
	default:
		return nil
	}
	ref, ok := m["$ref"].(string)
	if !ok {
		return m
	}
	path, ok := strings.CutPrefix(ref, "#/")
	target := o.get(o.root, strings.Split(path, "/")...)
	if !ok || target == nil {
		o.t.Fatalf("reference %q leads nowhere", ref)
	}
	return target
}

// check returns what is wrong with a JSON value by a schema. A keyword that it
// does not know is wrong, too: it would not be held against anything.
func (o openAPI) check(schema any, value any, at string) []string {
	o.t.Helper()
	s := o.resolve(schema)
	if s == nil {
		return []string{at + ": no schema"}
	}
	var wrong []string
	fail := func(format string, args ...any) { wrong = append(wrong, at+": "+fmt.Sprintf(format, args...)) }
	for keyword, want := range s {
		switch keyword {
		case "description", "default", "properties":
		case "type":
			if got := typeOf(value); got != want {
				fail("is %s, not %s", got, want)
			}
		case "enum":
			if !slices.Contains(want.([]any), value) {
				fail("is %v, none of %v", value, want)
			}
		case "format":
			if _, err := time.Parse(time.RFC3339, fmt.Sprint(value)); want != "date-time" || err != nil {
				fail("is no %v: %v", want, value)
			}
		case "minimum", "maximum":
			n, _ := value.(float64)
			if keyword == "minimum" && n < want.(float64) || keyword == "maximum" && n > want.(float64) {
				fail("%v is beyond the %s %v", value, keyword, want)
			}
		case "minLength", "maxLength":
			n := float64(utf8.RuneCountInString(fmt.Sprint(value)))
			if keyword == "minLength" && n < want.(float64) || keyword == "maxLength" && n > want.(float64) {
				fail("has %v characters, beyond the %s %v", n, keyword, want)
			}
		case "items":
			list, _ := value.([]any)
			for i, v := range list {
				wrong = append(wrong, o.check(want, v, fmt.Sprintf("%s[%d]", at, i))...)
			}
		case "required":
			m, _ := value.(map[string]any)
			for _, name := range want.([]any) {
				if _, ok := m[name.(string)]; !ok {
					fail("lacks %s", name)
				}
			}
		case "additionalProperties":
			m, _ := value.(map[string]any)
			properties := o.get(s, "properties")
			for name := range m {
				if _, ok := properties[name]; !ok || want != false {
					fail("%s is not described", name)
				}
			}
		default:
			fail("schema has the unknown keyword %s", keyword)
		}
	}
	m, _ := value.(map[string]any)
	for name, property := range o.get(s, "properties") {
		if v, ok := m[name]; ok {
			wrong = append(wrong, o.check(property, v, at+"."+name)...)
		}
	}
	return wrong
}

func typeOf(value any) string {
	switch v := value.(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	default:
		return "null"
	}
}

// TestSchemaChecker shows that the checker finds what is wrong.
func TestSchemaChecker(t *testing.T) {
	o := readOpenAPI(t)
	room := func(change object) map[string]any {
		m := map[string]any{"room_id": "r", "members": 1.0, "explicit": true, "created_at": "2026-01-02T15:04:05Z"}
		maps.Copy(m, change)
		return m
	}
	schemas := o.get(o.root, "components", "schemas")
	for _, tt := range []struct {
		schema string
		value  any
		want   string // "": nothing is wrong
	}{
		{"Room", room(nil), ""},
		{"Room", room(object{"max_clients": 5.0}), ""},
		{"Room", room(object{"max_clients": 5.5}), "max_clients: is number"},
		{"Room", room(object{"members": "1"}), "members: is string"},
		{"Room", room(object{"explicit": nil}), "explicit: is null"},
		{"Room", room(object{"created_at": "yesterday"}), "created_at: is no date-time"},
		{"Room", room(object{"owner": "x"}), "owner is not described"},
		{"Room", map[string]any{}, "lacks room_id"},
		{"Room", []any{}, "is array"},
		{"RoomList", map[string]any{"count": 1.0, "rooms": []any{room(object{"room_id": 1.0})}}, "rooms[0].room_id: is integer"},
		{"Scope", "galaxy", "none of"},
		{"DisconnectRequest", map[string]any{"code": 5000.0}, "maximum"},
		{"CreateRoomRequest", map[string]any{"room_id": ""}, "minLength"},
	} {
		wrong := strings.Join(o.check(schemas[tt.schema], tt.value, "it"), "; ")
		if (wrong == "") != (tt.want == "") || !strings.Contains(wrong, tt.want) {
			t.Errorf("%s %v: got %q, want %q", tt.schema, tt.value, wrong, tt.want)
		}
	}
}
