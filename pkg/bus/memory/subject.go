package memory

import (
	"fmt"
	"strings"
)

// maxSubject is the length of the longest subject, in bytes.
const maxSubject = 255

// checkSubject returns an error unless a subject is as package bus wants it.
func checkSubject(subject string) error {
	if subject == "" || len(subject) > maxSubject {
		return fmt.Errorf("a subject of %d bytes; it must have 1 to %d", len(subject), maxSubject)
	}
	if subject[0] == '.' || subject[len(subject)-1] == '.' || strings.Contains(subject, "..") {
		return fmt.Errorf("subject %q: every token between '.' must have a character", subject)
	}
	for i := range len(subject) {
		c := subject[i]
		if ('a' > c || c > 'z') && ('A' > c || c > 'Z') && ('0' > c || c > '9') && c != '-' && c != '_' && c != '.' {
			return fmt.Errorf("subject %q: byte %d is none of a-z, A-Z, 0-9, '-', '_' and '.'", subject, i)
		}
	}
	return nil
}

// checkMessage returns an error unless a subject and a payload can be sent.
func checkMessage(subject string, payload []byte) error {
	if err := checkSubject(subject); err != nil {
		return err
	}
	if len(payload) > MaxPayload {
		return fmt.Errorf("a payload of %d bytes; it must have at most %d", len(payload), MaxPayload)
	}
	return nil
}
