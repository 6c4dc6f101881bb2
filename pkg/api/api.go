// Package api holds what the hub's admin API speaks over HTTP: paths, request
// and response bodies, errors, and the OpenAPI file that describes them.
//
// Every call carries "Authorization: Bearer <key or token>". Bodies are JSON
// objects with the content type application/json; unknown fields are refused.
// Answers with status 400 and above are an [Error].
package api

import _ "embed"

// The paths of the API. {id} and {client} stand for one percent-encoded path
// segment: an id may hold any character, "/" included, and the ids "." and ".."
// are written %2E and %2E%2E.
const (
	Prefix         = "/api/v1/"
	PathPublish    = "/api/v1/publish"                     // POST PublishRequest: PublishResponse
	PathBroadcast  = "/api/v1/broadcast"                   // POST BroadcastRequest: BroadcastResponse
	PathClient     = "/api/v1/clients/{id}"                // GET: Client
	PathSend       = "/api/v1/clients/{id}/send"           // POST SendRequest: 204
	PathDisconnect = "/api/v1/clients/{id}/disconnect"     // POST DisconnectRequest or nothing: 204
	PathRooms      = "/api/v1/rooms"                       // GET: RoomList; POST CreateRoomRequest: Room
	PathRoom       = "/api/v1/rooms/{id}"                  // GET: Room; DELETE: 204
	PathMembers    = "/api/v1/rooms/{id}/members"          // GET: Members
	PathMember     = "/api/v1/rooms/{id}/members/{client}" // PUT: 204; DELETE: 204
	PathHistory    = "/api/v1/rooms/{id}/history"          // GET: History
	PathNodes      = "/api/v1/nodes"                       // GET: NodeList
	PathStats      = "/api/v1/stats"                       // GET: Stats
	PathDrain      = "/api/v1/drain"                       // POST DrainRequest or nothing: Node
	PathUndrain    = "/api/v1/undrain"                     // POST: Node
	PathOpenAPI    = "/api/v1/openapi.yaml"                // GET: the file
	PathPlainDrain = "/drain"                              // as PathDrain, beside the probes
)

// Bounds of the pages of lists.
const (
	DefaultLimit = 100  // entries without a limit
	MaxLimit     = 1000 // the greatest limit
)

// OpenAPI is the description of the API as an OpenAPI 3.1 file in YAML.
//
//go:embed openapi.yaml
var OpenAPI string

// Error is the body of every answer with status 400 and above. The HTTP status
// says what kind of failure it is, Code which one.
type Error struct {
	// Code is that of the wire protocol (docs/protocol.md): 1001 a request that
	// cannot be read, 2001 a missing permission, 3000 no such room, 4000 no such
	// client, and so on.
	Code int `json:"code"`
	// Message is for people.
	Message string `json:"message"`
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }
