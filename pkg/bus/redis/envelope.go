package redis

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/chenxilol/gohub/pkg/bus"
)

// What goes through a channel begins with its kind. A published message has the
// tag of the connection it came from, so that this leaves it out: Redis sends a
// publisher its own messages, too. A live copy has its place, written by the
// script that numbered it: "lEPOCH OFFSET PREV\nPAYLOAD".
const (
	kindPublished = 'p'
	kindLive      = 'l'
	tagSize       = 8
)

// published wraps the payload of a message.
func published(tag string, payload []byte) []byte {
	data := make([]byte, 0, 1+tagSize+len(payload))
	data = append(data, kindPublished)
	data = append(data, tag...)
	return append(data, payload...)
}

// unwrap takes apart what came through a channel. The message has no subject
// yet; its payload is a copy. From is the tag of who published it.
func unwrap(data string) (m bus.Message, from string, err error) {
	switch {
	case len(data) > tagSize && data[0] == kindPublished:
		return bus.Message{Payload: []byte(data[1+tagSize:])}, data[1 : 1+tagSize], nil
	case data != "" && data[0] == kindLive:
		head, payload, found := strings.Cut(data[1:], "\n")
		if !found {
			break
		}
		place, err := parsePlace(head)
		return bus.Message{Payload: []byte(payload), Entry: place}, "", err
	}
	return m, "", fmt.Errorf("message of %d bytes: not from a hub", len(data))
}

// parsePlace reads a place as the scripts write it: "EPOCH OFFSET PREV".
func parsePlace(text string) (bus.Place, error) {
	epoch, numbers, _ := strings.Cut(text, " ")
	offset, prev, _ := strings.Cut(numbers, " ")
	o, err := strconv.ParseUint(offset, 10, 64)
	p, err2 := strconv.ParseUint(prev, 10, 64)
	if epoch == "" || err != nil || err2 != nil {
		return bus.Place{}, fmt.Errorf("place %.80q: must be an epoch and two numbers", text)
	}
	return bus.Place{Epoch: epoch, Offset: o, Prev: p}, nil
}
