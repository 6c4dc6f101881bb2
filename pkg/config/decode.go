package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
)

// ApplyJSON lays the JSON object data over c: keys present replace the value,
// lists as a whole, keys inside a nested object one by one; null changes
// nothing. Keys are matched exactly. Unknown keys and values of a wrong type
// are errors, all of them reported together, each a [FieldError]; c is then
// left as it was. The values are not validated; see [Config.Validate].
func ApplyJSON(c *Config, data []byte) error {
	tree, err := parseJSON(data)
	if err != nil {
		return fmt.Errorf("parse configuration: %w", err)
	}
	next := *c
	var p problems
	decodeInto(reflect.ValueOf(&next).Elem(), tree, "", &p)
	if err := p.err(); err != nil {
		return err
	}
	*c = next
	return nil
}

func parseJSON(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // keeps large numbers exact
	var tree any
	if err := d.Decode(&tree); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the text is empty")
		}
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more text after the first JSON value")
	}
	return tree, nil
}

// decodeInto stores the JSON value x in v, whose key path is path.
func decodeInto(v reflect.Value, x any, path string, p *problems) {
	switch {
	case x == nil:
	case v.Type() == durationType:
		decodeDuration(v, x, path, p)
	case v.Kind() == reflect.Struct:
		decodeObject(v, x, path, p)
	case v.Kind() == reflect.Slice:
		decodeList(v, x, path, p)
	case v.Kind() == reflect.Int:
		decodeInt(v, x, path, p)
	case v.Kind() == reflect.Bool:
		if b, ok := x.(bool); ok {
			v.SetBool(b)
		} else {
			p.add(path, "must be true or false, got %s", kind(x))
		}
	default:
		if s, ok := x.(string); ok {
			v.SetString(s)
		} else {
			p.add(path, "must be a text, got %s; put the value in quotes", kind(x))
		}
	}
}

func decodeObject(v reflect.Value, x any, path string, p *problems) {
	object, ok := x.(map[string]any)
	if !ok {
		if path == "" {
			path = "configuration"
		}
		p.add(path, "must be an object with keys, got %s", kind(x))
		return
	}
	known := map[string]reflect.Value{}
	for i := range v.NumField() {
		known[keyName(v.Type().Field(i))] = v.Field(i)
	}
	for _, key := range sorted(object) {
		if field, ok := known[key]; ok {
			decodeInto(field, object[key], join(path, key), p)
		} else {
			p.add(join(path, printable(key)), "unknown key; %s", suggest(path, key, sorted(known)))
		}
	}
}

func decodeList(v reflect.Value, x any, path string, p *problems) {
	list, ok := x.([]any)
	if !ok {
		p.add(path, "must be a list, got %s", kind(x))
		return
	}
	// A new array, so that a list shared with another Config stays as it is.
	next := reflect.MakeSlice(v.Type(), len(list), len(list))
	for i, item := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		if item == nil {
			p.add(at, "must not be empty")
			continue
		}
		decodeInto(next.Index(i), item, at, p)
	}
	v.Set(next)
}

func decodeDuration(v reflect.Value, x any, path string, p *problems) {
	if n, ok := x.(json.Number); ok {
		p.add(path, "must be %s, got the number %s, which has no unit", durationForm, truncate(n.String()))
		return
	}
	s, ok := x.(string)
	if !ok {
		p.add(path, "must be %s, got %s", durationForm, kind(x))
		return
	}
	d, err := parseDuration(s)
	if err != nil {
		p.add(path, "%v", err)
		return
	}
	v.SetInt(int64(d))
}

func decodeInt(v reflect.Value, x any, path string, p *problems) {
	n, ok := x.(json.Number)
	if !ok {
		p.add(path, "must be a whole number, got %s", kind(x))
		return
	}
	i, err := strconv.Atoi(n.String())
	if err != nil {
		// YAML turns 1e6 into a number with an exponent.
		f, ferr := n.Float64()
		const exact = 1 << 53
		if ferr != nil || f != math.Trunc(f) || math.Abs(f) > exact || math.Abs(f) > math.MaxInt {
			p.add(path, "must be a whole number from %d to %d, got %s", math.MinInt, math.MaxInt, truncate(n.String()))
			return
		}
		i = int(f)
	}
	v.SetInt(int64(i))
}

// kind names a JSON value without showing it, as it may be a secret.
func kind(x any) string {
	switch x.(type) {
	case string:
		return "a text"
	case json.Number:
		return "a number"
	case bool:
		return "true or false"
	case []any:
		return "a list"
	default:
		return "an object"
	}
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
