package conformance

import (
	"bufio"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// vector is one recorded case; testdata/README.md says what the fields mean.
type vector struct {
	ID          string
	Steps       []step
	Expect      map[string][]event
	ExpectClose struct {
		ClosedByMe   bool
		CloseCode    []int
		RequireClean bool
	}
	SuppressClose bool
	Behavior      string
}

// step is one write of the client.
type step struct {
	at   time.Duration // since the start
	data []byte
}

// UnmarshalJSON reads [milliseconds, "hexadecimal octets"].
func (s *step) UnmarshalJSON(raw []byte) error {
	var ms int64
	var octets string
	if err := json.Unmarshal(raw, &[]any{&ms, &octets}); err != nil {
		return err
	}
	data, err := hex.DecodeString(octets)
	*s = step{time.Duration(ms) * time.Millisecond, data}
	return err
}

// event is what a client gets: a message, a ping or a pong with its payload
// in hexadecimal; or a timeout, by name.
type event struct {
	kind, data string
	binary     bool
}

// UnmarshalJSON reads ["kind", "data"] or ["kind", "data", binary].
func (e *event) UnmarshalJSON(raw []byte) error {
	return json.Unmarshal(raw, &[]any{&e.kind, &e.data, &e.binary})
}

// loadVectors reads a gzipped file of one case a line.
func loadVectors(path string) ([]vector, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(bufio.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("read vectors: %w", err)
	}
	var all []vector
	for dec := json.NewDecoder(unzipped); ; {
		var v vector
		err := dec.Decode(&v)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read vector %d: %w", len(all)+1, err)
		}
		all = append(all, v)
	}
}
