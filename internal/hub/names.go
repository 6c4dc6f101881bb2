package hub

import (
	"unicode"
	"unicode/utf8"

	"github.com/chenxilol/gohub/pkg/hub"
)

// maxName is the longest id or room name, in bytes.
const maxName = 512

// checkName tells what is wrong with a client id or room name, nil if nothing
// is. Everything but control characters is data.
func checkName(field, name string) *hub.Error {
	switch {
	case name == "":
		return hub.NewError(hub.CodeFormat, "%s is missing or empty", field)
	case len(name) > maxName:
		return hub.NewError(hub.CodeFormat, "%s is longer than %d bytes", field, maxName)
	case !utf8.ValidString(name):
		return hub.NewError(hub.CodeFormat, "%s is not valid UTF-8", field)
	}
	for _, r := range name {
		if unicode.IsControl(r) {
			return hub.NewError(hub.CodeFormat, "%s holds a control character", field)
		}
	}
	return nil
}
