package nats

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// Headers of NATS and JetStream (nats-server, server/stream.go).
const (
	statusHeader       = "Status"
	statusNoResponders = "503"
	statusEnd          = "204"
	statusNotFound     = "404"

	idHeader      = "Nats-Msg-Id"
	ttlHeader     = "Nats-TTL"
	subjectHeader = "Nats-Subject"
	seqHeader     = "Nats-Sequence"
	prevHeader    = "Nats-Last-Sequence"
	pendingHeader = "Nats-Num-Pending"
	upToHeader    = "Nats-UpTo-Sequence"
)

// Codes of errors of JetStream (nats-server, server/errors.json).
const (
	codeInProcess       = 10158 // an append with the same id is being stored
	codeMessageTooLarge = 10054
)

// requestTimeout is how long one request to JetStream waits for its answer
// before it is tried again.
const requestTimeout = 2 * time.Second

// apiError is what JetStream answers when it does not do what was asked.
type apiError struct {
	Code        int    `json:"code"`
	ErrCode     int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *apiError) Error() string { return fmt.Sprintf("JetStream: %s (%d)", e.Description, e.ErrCode) }

// ask has an API of JetStream answer a request into response.
func (s *session) ask(ctx context.Context, subject string, request, response any) error {
	data, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("ask %s: %w", subject, err)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	answers, err := s.do(ctx, &nats.Msg{Subject: subject, Data: data}, nil)
	if err == nil {
		err = json.Unmarshal(answers[0].Data, response)
	}
	if err != nil {
		return fmt.Errorf("ask %s: %w", subject, err)
	}
	return nil
}

// storedMsg is the answer to a request for one stored message.
type storedMsg struct {
	Error   *apiError `json:"error"`
	Message *struct {
		Data []byte `json:"data"`
	} `json:"message"`
}

// streamState is the part of a stream's description that tells where it ends.
type streamState struct {
	Error *apiError `json:"error"`
	State struct {
		LastSeq uint64 `json:"last_seq"`
	} `json:"state"`
}

// lastSeq asks the leader of a stream for its last sequence number. No replica
// that answers later lags behind it without saying so.
func (s *session) lastSeq(ctx context.Context, stream string) (uint64, error) {
	var state streamState
	if err := s.ask(ctx, "$JS.API.STREAM.INFO."+stream, struct{}{}, &state); err != nil {
		return 0, err
	}
	if state.Error != nil {
		return 0, state.Error
	}
	return state.State.LastSeq, nil
}
