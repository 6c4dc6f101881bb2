package config

import (
	"reflect"
	"strconv"
	"strings"
	"unicode"
)

// Key describes one key of the configuration, for flags and documentation.
type Key struct {
	// Path is the key's path in YAML, such as "rateLimit.burst".
	Path string
	// Env is its environment variable, such as "GOHUB_RATE_LIMIT_BURST"; empty
	// for the keys inside a list's items.
	Env string
	// FileEnv is the variable that names a file with its value, such as
	// "GOHUB_API_KEY_FILE"; empty for keys without one.
	FileEnv string
	// Flag is its command line flag without dashes, such as "rate-limit-burst";
	// empty for the keys inside a list's items.
	Flag string
	// Field is the Go field in server.Options, such as "RateLimit.Burst".
	Field string
	// Type is "text", "true or false", "number", "duration", "list of texts" or
	// "list of rooms".
	Type string
	// Default is what leaving the key out stands for, as text; empty for an
	// empty text or list.
	Default string
	// Allowed lists the only words the key takes, if it is such a key.
	Allowed []string
	// Negative is what a negative value means, such as "off"; empty where one
	// is an error or makes no sense.
	Negative string
	// Doc is the meaning, as in the source.
	Doc string
	// Secret is set for keys whose value, or part of it, must not be shown.
	Secret bool
	// Items are the keys of one item where the key is a list of structures;
	// their paths begin with "<path>[].".
	Items []Key
}

// Summary returns the first sentence of the key's Doc.
func (k Key) Summary() string {
	if first, _, more := strings.Cut(k.Doc, ". "); more {
		return first + "."
	}
	return k.Doc
}

// EnvPrefix begins the name of every environment variable GoHub reads, and
// ConfigFileEnv is the variable that names the configuration file.
const (
	EnvPrefix     = "GOHUB_"
	ConfigFileEnv = "GOHUB_CONFIG"

	fileSuffix = "_FILE"
)

// Keys lists every key, in the order of the structures' fields.
func Keys() []Key {
	c := Config{}.Effective()
	return keysOf(reflect.ValueOf(c), "", "", docs())
}

func keysOf(v reflect.Value, path, goPath string, docs map[string]string) []Key {
	var keys []Key
	for i := range v.NumField() {
		field := v.Type().Field(i)
		k := describe(field, join(path, keyName(field)), join(goPath, goName(field)))
		k.Doc = docs[k.Path]
		value := v.Field(i)
		if value.Kind() == reflect.Struct {
			keys = append(keys, keysOf(value, k.Path, k.Field, docs)...)
			continue
		}
		if k.Default == "" {
			k.Default = show(value)
		}
		if isStructs(field.Type) {
			item := reflect.Zero(field.Type.Elem())
			k.Items = keysOf(item, k.Path+"[]", k.Field+"[]", docs)
		}
		if strings.Contains(k.Path, "[]") {
			k.Env, k.FileEnv, k.Flag = "", "", ""
		}
		keys = append(keys, k)
	}
	return keys
}

func describe(field reflect.StructField, path, goPath string) Key {
	tag := field.Tag
	k := Key{
		Path:     path,
		Env:      EnvPrefix + words(path, '_', unicode.ToUpper),
		Flag:     words(path, '-', unicode.ToLower),
		Field:    goPath,
		Type:     typeName(field.Type),
		Default:  tag.Get("default"),
		Negative: tag.Get("negative"),
		Secret:   tag.Get("secret") != "",
	}
	if takesFile(field) {
		k.FileEnv = k.Env + fileSuffix
	}
	if enum := tag.Get("enum"); enum != "" {
		k.Allowed = strings.Split(enum, ",")
	}
	return k
}

func keyName(field reflect.StructField) string { return field.Tag.Get("json") }

func goName(field reflect.StructField) string {
	if name := field.Tag.Get("go"); name != "" {
		return name
	}
	return field.Name
}

// takesFile reports whether the key may come from a file: it is a text or a
// list of texts, and not itself the path of a file.
func takesFile(field reflect.StructField) bool {
	text := field.Type.Kind() == reflect.String || isTexts(field.Type)
	return text && !strings.HasSuffix(keyName(field), "File")
}

var durationType = reflect.TypeFor[Duration]()

func isTexts(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String
}

func isStructs(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct
}

func typeName(t reflect.Type) string {
	switch {
	case t == durationType:
		return "duration"
	case isTexts(t):
		return "list of texts"
	case isStructs(t):
		return "list of rooms"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int:
		return "number"
	default:
		return "text"
	}
}

// show writes a default as a user would write it.
func show(v reflect.Value) string {
	switch {
	case v.Type() == durationType:
		return shortDuration(Duration(v.Int()))
	case v.Kind() == reflect.Int:
		return strconv.FormatInt(v.Int(), 10)
	case v.Kind() == reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case v.Kind() == reflect.String:
		return v.String()
	case isTexts(v.Type()):
		return strings.Join(v.Interface().([]string), ",")
	default:
		return ""
	}
}

// shortDuration writes 1h instead of 1h0m0s.
func shortDuration(d Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// words splits a path of lowerCamel names at dots and at the humps, keeps
// initialisms whole (jwksURL is jwks, URL), and joins the parts with sep.
func words(path string, sep rune, letter func(rune) rune) string {
	var b strings.Builder
	runes := []rune(path)
	for i, r := range runes {
		if r == '.' {
			b.WriteRune(sep)
			continue
		}
		if i > 0 && unicode.IsUpper(r) {
			afterLower := !unicode.IsUpper(runes[i-1])
			beforeLower := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			// "URLs" is one word: its last hump would leave a lone s.
			plural := beforeLower && runes[i+1] == 's' && i+2 == len(runes)
			if afterLower || beforeLower && !plural {
				b.WriteRune(sep)
			}
		}
		b.WriteRune(letter(r))
	}
	return b.String()
}
