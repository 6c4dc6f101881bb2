package server

import (
	"crypto/sha256"
	"io"
	"net/http"

	corehub "github.com/chenxilol/gohub/internal/hub"
	"github.com/chenxilol/gohub/pkg/api"
	"github.com/chenxilol/gohub/pkg/auth"
)

// admin is the admin API (package api) of a server.
type admin struct {
	s         *Server
	hub       *corehub.Hub
	keyHash   *[sha256.Size]byte // of the API key; nil: there is none
	bodyLimit int64              // bytes; 0: no limit
	routes    []adminRoute
}

// adminRoute is one operation of the admin API.
type adminRoute struct {
	method, path string
	// needs is the permission for the room that {id} names, or admin:system;
	// empty where the operation itself decides.
	needs  auth.Permission
	handle func(*admin, *adminCall) (status int, body any, err error)
}

// adminRoutes are all operations; api.OpenAPI describes them.
func adminRoutes() []adminRoute {
	return []adminRoute{
		{"POST", api.PathPublish, "", (*admin).publish},
		{"POST", api.PathBroadcast, auth.PermAdminSystem, (*admin).broadcast},
		{"GET", api.PathClient, auth.PermAdminSystem, (*admin).client},
		{"POST", api.PathSend, auth.PermAdminSystem, (*admin).send},
		{"POST", api.PathDisconnect, auth.PermAdminSystem, (*admin).disconnect},
		{"GET", api.PathRooms, "", (*admin).listRooms},
		{"POST", api.PathRooms, "", (*admin).createRoom},
		{"GET", api.PathRoom, auth.PermReadMessage, (*admin).room},
		{"DELETE", api.PathRoom, auth.PermDeleteRoom, (*admin).deleteRoom},
		{"GET", api.PathMembers, auth.PermReadMessage, (*admin).members},
		{"PUT", api.PathMember, auth.PermJoinRoom, (*admin).addMember},
		{"DELETE", api.PathMember, auth.PermLeaveRoom, (*admin).removeMember},
		{"GET", api.PathHistory, auth.PermReadMessage, (*admin).history},
		{"GET", api.PathNodes, auth.PermAdminSystem, (*admin).nodes},
		{"GET", api.PathStats, auth.PermAdminSystem, (*admin).stats},
		{"POST", api.PathDrain, auth.PermAdminSystem, (*admin).drain},
		{"POST", api.PathPlainDrain, auth.PermAdminSystem, (*admin).drain},
		{"POST", api.PathUndrain, auth.PermAdminSystem, (*admin).undrain},
		{"GET", api.PathOpenAPI, "", (*admin).openAPI},
	}
}

// adminRoutes serves the admin API on mux, unless nobody could be let in.
func (s *Server) adminRoutes(mux *http.ServeMux) {
	if s.opts.APIKey == "" && s.verifier == nil {
		return
	}
	a := &admin{s: s, hub: s.hub, bodyLimit: bodyLimit(s.opts.MaxMessageSize), routes: adminRoutes()}
	if s.opts.APIKey != "" {
		hash := sha256.Sum256([]byte(s.opts.APIKey))
		a.keyHash = &hash
	}
	// One pattern for each method: one for all of them would be in conflict
	// with a user's "GET /".
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		mux.Handle(method+" "+api.Prefix, a)
	}
	mux.Handle("POST "+api.PathPlainDrain, a)
}

// adminCall is one request of the admin API by a caller who has been let in.
type adminCall struct {
	*http.Request
	w   http.ResponseWriter
	who caller
}

func (a *admin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route := a.find(r)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	setBodyDeadline(w, r) // also under an http.Server of the program's own
	who, err := a.authenticate(r)
	if err == nil && route.needs != "" {
		err = who.check(route.needs, r.PathValue("id"))
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	status, body, err := route.handle(a, &adminCall{Request: r, w: w, who: who})
	if err != nil {
		a.fail(w, r, err)
		return
	}
	switch body := body.(type) {
	case nil:
		w.WriteHeader(status)
	case yamlText:
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = io.WriteString(w, string(body)) // the peer may be gone
	default:
		writeJSON(w, status, body)
	}
}

// yamlText is the one body that is not JSON.
type yamlText string

// openAPI serves the description of the API.
func (a *admin) openAPI(*adminCall) (int, any, error) {
	return http.StatusOK, yamlText(api.OpenAPI), nil
}
