package memory

import (
	"fmt"

	"github.com/chenxilol/gohub/pkg/bus"
)

// checkMessage returns an error unless a subject and a payload can be sent.
func checkMessage(subject string, payload []byte) error {
	if err := bus.CheckSubject(subject); err != nil {
		return err
	}
	if len(payload) > MaxPayload {
		return fmt.Errorf("a payload of %d bytes; it must have at most %d", len(payload), MaxPayload)
	}
	return nil
}
