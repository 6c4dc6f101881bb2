package auth

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a client id taken from a token.
const (
	// MaxIDBytes is the greatest length of a client id, in bytes.
	MaxIDBytes = 512
	// ReservedIDPrefix begins the ids the hub gives to anonymous clients that
	// named themselves. No token may carry such an id, so that nobody can be
	// mistaken for an authenticated client.
	ReservedIDPrefix = "anon:"
)

// ValidateID checks a client id: valid UTF-8 of 1 to [MaxIDBytes] bytes without
// control characters (Unicode category Cc) that does not start with
// [ReservedIDPrefix]. The error says which rule was broken and does not quote the id.
func ValidateID(id string) error {
	switch {
	case id == "":
		return errors.New("is empty")
	case len(id) > MaxIDBytes:
		return errors.New("is longer than " + strconv.Itoa(MaxIDBytes) + " bytes")
	case !utf8.ValidString(id):
		return errors.New("is not valid UTF-8")
	case strings.ContainsFunc(id, unicode.IsControl):
		return errors.New("contains control characters")
	case strings.HasPrefix(id, ReservedIDPrefix):
		return errors.New(`starts with "` + ReservedIDPrefix + `", which is reserved`)
	}
	return nil
}
