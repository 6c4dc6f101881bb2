package server

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/chenxilol/gohub/internal/hub/dispatch"
	"github.com/chenxilol/gohub/pkg/hub"
)

const (
	// minBodyLimit is the least that the limit of a request's content is, in
	// bytes.
	minBodyLimit = 64 << 10
	// bodySlack is what may come on top of the content, in bytes.
	bodySlack = 16 << 10
)

// bodyLimit returns the greatest size of a request's body in bytes, for the
// effective MaxMessageSize; 0 is no limit.
func bodyLimit(maxMessageSize int) int64 {
	if maxMessageSize <= 0 {
		return 0
	}
	return int64(max(maxMessageSize, minBodyLimit)) + bodySlack
}

// decode reads the request's body, a JSON object, into the struct that v
// points to. The type of the content must be named, which a form in a browser
// cannot do. Unknown and repeated fields are refused, as are names in another
// case.
func (a *admin) decode(c *adminCall, v any) error {
	kind, _, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return &statusError{http.StatusUnsupportedMediaType, hub.NewError(hub.CodeFormat, "Content-Type must be application/json")}
	}
	body := c.Body
	if a.bodyLimit > 0 {
		body = http.MaxBytesReader(c.w, body, a.bodyLimit)
	}
	data, err := io.ReadAll(body)
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return hub.NewError(hub.CodeTooLarge, "the body is larger than %d bytes", a.bodyLimit)
		}
		return hub.NewError(hub.CodeFormat, "the body could not be read to its end")
	}
	return decodeObject(data, v)
}

// decodeOptional is decode for a body that may be absent, which leaves *v as
// it is.
func (a *admin) decodeOptional(c *adminCall, v any) error {
	if c.ContentLength == 0 {
		return nil
	}
	return a.decode(c, v)
}

func decodeObject(data []byte, v any) error {
	if !utf8.Valid(data) {
		return hub.NewError(hub.CodeFormat, "the body is not valid UTF-8")
	}
	known := fieldNames(reflect.TypeOf(v).Elem())
	var seen []string
	var bad error
	err := dispatch.Object(data, func(key, _ []byte) {
		name := string(key)
		switch {
		case bad != nil:
		case !slices.Contains(known, name):
			bad = hub.NewError(hub.CodeFormat, "unknown field %q: the fields are %s", shorten(name), strings.Join(known, ", "))
		case slices.Contains(seen, name):
			bad = hub.NewError(hub.CodeFormat, "field %s stands twice", name)
		default:
			seen = append(seen, name)
		}
	})
	if err != nil {
		return hub.NewError(hub.CodeFormat, "the body must be one JSON object")
	}
	if bad != nil {
		return bad
	}
	if err := json.Unmarshal(data, v); err != nil {
		if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return hub.NewError(hub.CodeFormat, "%s must be %s", e.Field, kindName(e.Type))
		}
		return hub.NewError(hub.CodeFormat, "the body must be one JSON object")
	}
	return nil
}

// fieldNames returns the JSON names of a struct's fields.
func fieldNames(t reflect.Type) []string {
	names := make([]string, t.NumField())
	for i := range names {
		names[i], _, _ = strings.Cut(t.Field(i).Tag.Get("json"), ",")
	}
	return names
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "a list of strings"
	default:
		return "a whole number"
	}
}

// shorten bounds a name from outside for an error's text.
func shorten(name string) string {
	const most = 64
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "") + "..."
}

// maxName is the longest name or key in a request, in bytes.
const maxName = 512

// checkText refuses a text that is no name: too long, or with control
// characters.
func checkText(field, text string) error {
	switch {
	case len(text) > maxName:
		return hub.NewError(hub.CodeFormat, "%s is longer than %d bytes", field, maxName)
	case strings.ContainsFunc(text, unicode.IsControl):
		return hub.NewError(hub.CodeFormat, "%s holds a control character", field)
	default:
		return nil
	}
}
