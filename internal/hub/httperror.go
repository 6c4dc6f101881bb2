package hub

import (
	"encoding/json"
	"net/http"

	"github.com/chenxilol/gohub/pkg/hub"
)

// WriteError answers an HTTP request with {"code", "message"}.
func WriteError(w http.ResponseWriter, status int, e *hub.Error) {
	body, _ := json.Marshal(map[string]any{"code": e.Code, "message": e.Message}) // always encodable
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the peer may be gone
}
