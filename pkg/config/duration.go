package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Duration is a time.Duration that reads and writes as text with a unit, such
// as "25s", "1m30s" or "250ms". A bare number has no unit and is refused.
type Duration time.Duration

// String returns d as time.Duration prints it.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText writes d as text with a unit.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads text with a unit, with the syntax of [time.ParseDuration]
// except that a number without a unit, 0 included, is an error.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := parseDuration(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// UnmarshalJSON reads a JSON string as UnmarshalText does; null changes
// nothing and everything else is an error.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text *string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("must be %s, got %s", durationForm, truncate(string(data)))
	}
	if text == nil {
		return nil
	}
	return d.UnmarshalText([]byte(*text))
}

const durationForm = `a duration with a unit, such as "25s", "1m30s" or "250ms"`

func parseDuration(text string) (Duration, error) {
	text = strings.TrimSpace(text)
	// time.ParseDuration takes "0", "+0" and "-0" without a unit.
	bare := strings.Trim(text, "+-0123456789.") == ""
	d, err := time.ParseDuration(text)
	if err != nil || bare {
		return 0, fmt.Errorf("must be %s, got %q", durationForm, truncate(text))
	}
	return Duration(d), nil
}
