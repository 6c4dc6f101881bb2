// HTTP serves its own endpoints beside the hub: whatever is posted to
// /orders/{id} is told to the members of the room order.{id}.
//
//	curl -d '{"state":"shipped"}' localhost:8080/orders/7
package main

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"

	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/pkg/sdk"
	"github.com/chenxilol/gohub/server"
)

func main() {
	s, err := newServer(&server.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Start(); err != nil {
		log.Fatal(err)
	}
}

func newServer(opts *server.Options) (*server.Server, error) {
	s, err := server.NewServer(opts)
	if err != nil {
		return nil, err
	}
	s.HandleFunc("POST /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		state, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
		if err != nil || !json.Valid(state) {
			http.Error(w, "want JSON of at most 64 KiB", http.StatusBadRequest)
			return
		}
		_, err = s.SDK().Publish(sdk.Publication{Room: "order." + r.PathValue("id"), Content: state, SenderID: "shop"})
		if errors.Is(err, &hub.Error{Code: hub.CodeRoomNotFound}) {
			w.WriteHeader(http.StatusNoContent) // nobody is watching this order
			return
		}
		if err != nil {
			http.Error(w, "try again", http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
	s.HandleFunc("GET /online", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]int{"clients": s.SDK().GetClientCount()})
	})
	return s, nil
}
