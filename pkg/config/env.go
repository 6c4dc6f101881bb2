package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ApplyEnv lays the environment over c, asking lookup (such as os.LookupEnv)
// for the variable of every key. An empty variable counts as not set.
//
// Numbers, durations and texts are written plainly and booleans as
// [strconv.ParseBool] takes them. Lists of texts are separated by commas; a
// value that begins with [" is a JSON array instead, for items with commas in
// them, and PEM blocks are items of their own. Lists of structures are JSON.
//
// A text or list of texts may also come from a file named by the variable with
// _FILE appended, such as GOHUB_JWT_SECRET_KEY_FILE; line ends at the end of
// the file are not part of the value. Setting both is an error, and so is an
// empty file or one over 1 MiB.
//
// All errors are reported together, each naming its variable, and c is then
// left as it was. The values are not validated; see [Config.Validate].
func ApplyEnv(c *Config, lookup func(string) (string, bool)) error {
	next := *c
	var errs []error
	for _, k := range Keys() {
		name, text, err := lookupKey(k, lookup)
		if err == nil && name != "" {
			err = Set(&next, k.Path, text)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("environment variable %s: %w", cmp.Or(name, k.Env), err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	*c = next
	return nil
}

// lookupKey returns the variable that is set for k and the text it gives.
func lookupKey(k Key, lookup func(string) (string, bool)) (name, text string, err error) {
	text, _ = lookup(k.Env)
	if k.FileEnv == "" {
		return nameIf(k.Env, text), text, nil
	}
	path, _ := lookup(k.FileEnv)
	switch {
	case path == "":
		return nameIf(k.Env, text), text, nil
	case text != "":
		return k.Env, "", fmt.Errorf("is set together with %s; use one of them", k.FileEnv)
	}
	text, err = readValue(path)
	return k.FileEnv, text, err
}

func nameIf(name, text string) string {
	if text == "" {
		return ""
	}
	return name
}

func readValue(path string) (string, error) {
	const most = 1 << 20
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("open the file with the value: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return "", fmt.Errorf("read the file with the value: %w", err)
	}
	text := strings.TrimRight(string(data), "\r\n")
	if text == "" || len(data) > most {
		return "", fmt.Errorf("file %q holds %d bytes; it must hold the value, at most %d bytes", path, len(data), most)
	}
	return text, nil
}

// Set gives the key at path, such as "rateLimit.burst", the value that text
// stands for, written as [ApplyEnv] describes. An empty text is the zero value.
// An unknown path and a text of the wrong form are errors of type [FieldError],
// and c is then left as it was.
func Set(c *Config, path, text string) error {
	next := *c
	field, ok := fieldAt(reflect.ValueOf(&next).Elem(), path)
	if !ok {
		return &FieldError{Key: printable(path), Reason: "unknown key; " + suggest("", path, paths())}
	}
	var p problems
	setText(field, text, path, &p)
	if err := p.err(); err != nil {
		return err
	}
	*c = next
	return nil
}

func paths() []string {
	var all []string
	for _, k := range Keys() {
		all = append(all, k.Path)
	}
	return all
}

func fieldAt(v reflect.Value, path string) (reflect.Value, bool) {
	name, rest, nested := strings.Cut(path, ".")
	for i := range v.NumField() {
		field := v.Field(i)
		if keyName(v.Type().Field(i)) != name {
			continue
		}
		if field.Kind() != reflect.Struct {
			return field, !nested
		}
		if !nested {
			return field, false
		}
		return fieldAt(field, rest)
	}
	return reflect.Value{}, false
}

func setText(v reflect.Value, text, path string, p *problems) {
	switch {
	case text == "":
		v.SetZero()
	case v.Type() == durationType:
		decodeDuration(v, text, path, p)
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Int:
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			p.add(path, "must be a whole number, got %q", truncate(text))
			return
		}
		v.SetInt(int64(n))
	case v.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(strings.TrimSpace(text))
		if err != nil {
			p.add(path, "must be true or false, got %q", truncate(text))
			return
		}
		v.SetBool(b)
	case isTexts(v.Type()) && !strings.HasPrefix(text, `["`) && text != "[]":
		v.Set(reflect.ValueOf(splitList(text)))
	default:
		setJSON(v, text, path, p)
	}
}

func setJSON(v reflect.Value, text, path string, p *problems) {
	tree, err := parseJSON([]byte(text))
	if err != nil {
		p.add(path, "must be a JSON list: %v", err)
		return
	}
	decodeInto(v, tree, path, p)
}

// splitList splits text at commas and after PEM blocks. Empty items are
// dropped, so a trailing comma does no harm.
func splitList(text string) []string {
	if strings.Contains(text, "-----BEGIN ") {
		text = pemEnd.ReplaceAllString(text, "$0,")
	}
	items := strings.Split(text, ",")
	for i, item := range items {
		items[i] = strings.TrimSpace(item)
	}
	return slices.DeleteFunc(items, func(s string) bool { return s == "" })
}

var pemEnd = regexp.MustCompile(`-----END [A-Z0-9 ]+-----`)

// EnvNames returns the names of all variables that are read.
func EnvNames() []string {
	names := []string{ConfigFileEnv}
	for _, k := range Keys() {
		names = append(names, k.Env)
		if k.FileEnv != "" {
			names = append(names, k.FileEnv)
		}
	}
	return names
}

// UnknownEnv returns, sorted, the names in environ (as of os.Environ) that
// begin with GOHUB_ and that nothing reads: most likely a spelling mistake the
// user should hear of. The variables Kubernetes sets for a Service whose name
// begins with "gohub" are not among them. Values are never returned.
func UnknownEnv(environ []string) []string {
	known := EnvNames()
	var unknown []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, EnvPrefix) && !slices.Contains(known, name) && !serviceLink.MatchString(name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return slices.Compact(unknown)
}

// serviceLink matches the variables of the Docker links form and the Service
// form that Kubernetes adds to every container.
var serviceLink = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)
