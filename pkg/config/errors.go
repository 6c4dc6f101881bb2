package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// FieldError reports what is wrong with one key. It never holds the value of
// a secret.
type FieldError struct {
	// Key is the key's path as written in YAML, such as "rateLimit.burst" or
	// "rooms[2].pattern".
	Key string
	// Reason says what is wrong and what is allowed.
	Reason string
}

// Error returns the key and the reason.
func (e *FieldError) Error() string { return e.Key + ": " + e.Reason }

// problems collects the errors of one check.
type problems []error

func (p *problems) add(key, format string, args ...any) {
	*p = append(*p, &FieldError{Key: key, Reason: fmt.Sprintf(format, args...)})
}

func (p problems) err() error { return errors.Join(p...) }

// join puts a key under its parent's path.
func join(parent, key string) string {
	if parent == "" {
		return key
	}
	return parent + "." + key
}

// truncate keeps a value in an error text readable.
func truncate(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}

// printable shortens a name from outside and escapes what would garble a log.
func printable(s string) string {
	return strings.Trim(strconv.Quote(truncate(s)), `"`)
}
