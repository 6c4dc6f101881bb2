package server_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/api"
	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/server"
)

// operation is one operation of the OpenAPI file.
type operation struct {
	method, path string
	spec         object
	parameters   []object
}

func (o openAPI) operations() (list []operation) {
	for path, item := range o.get(o.root, "paths") {
		shared, _ := o.get(item)["parameters"].([]any)
		for method := range o.get(item) {
			if method == "parameters" {
				continue
			}
			op := operation{method: strings.ToUpper(method), path: path, spec: o.get(item, method)}
			own, _ := op.spec["parameters"].([]any)
			for _, p := range slices.Concat(shared, own) {
				op.parameters = append(op.parameters, o.resolve(p))
			}
			list = append(list, op)
		}
	}
	return list
}

func TestOpenAPIListsEveryRoute(t *testing.T) {
	var described [][2]string
	for _, op := range readOpenAPI(t).operations() {
		described = append(described, [2]string{op.method, op.path})
	}
	served := server.AdminRoutes()
	for _, d := range described {
		if !slices.Contains(served, d) {
			t.Errorf("%v is described and not served", d)
		}
	}
	for _, s := range served {
		if !slices.Contains(described, s) {
			t.Errorf("%v is served and not described", s)
		}
	}
}

// TestOpenAPIExamples makes every request as its example says, in a hub in
// which it succeeds, and holds the answer and its example against the schema.
func TestOpenAPIExamples(t *testing.T) {
	o := readOpenAPI(t)
	names := map[string]bool{}
	for _, op := range o.operations() {
		t.Run(op.method+" "+op.path, func(t *testing.T) {
			o := openAPI{t, o.root}
			name, _ := op.spec["operationId"].(string)
			if name == "" || names[name] || op.spec["summary"] == nil || op.spec["description"] == nil {
				t.Errorf("operationId %q is missing or taken, or there is no summary or description", name)
			}
			names[name] = true
			a := inhabitedHub(t)
			o.checkAnswer(op, a.do(op.method, o.examplePath(op), o.exampleBody(op)))
			a.want(200, "POST", api.PathUndrain, "", nil) // else the end of the test waits for the drain
		})
	}
}

// inhabitedHub is a hub with a room of two members and a history.
func inhabitedHub(t *testing.T) *admin {
	t.Helper()
	srv, a := newAdmin(t, server.Options{
		EnableAuth: true, JWTSecretKey: jwtSecret, Rooms: []server.RoomRule{{Pattern: "chat.*", HistorySize: 5}},
	})
	a.want(201, "POST", api.PathRooms, `{"room_id":"chat.general","name":"General","max_clients":50}`, nil)
	a.want(200, "POST", api.PathPublish, `{"room":"chat.general","content":{"text":"Hello"}}`, nil)
	for _, id := range []string{"alice", "bob"} {
		claims := auth.TokenClaims{Subject: id, UserID: "17", Username: "A", Permissions: []auth.Permission{"join:room:chat.*"}}
		srv.Dial(t, hubtest.Token(issue(t, claims, time.Hour)), hubtest.Subprotocols("gohub.v1")).Join("chat.general")
	}
	return a
}

func (o openAPI) examplePath(op operation) string {
	path := op.path
	for _, p := range op.parameters {
		switch p["in"] {
		case "path":
			segment := fmt.Sprintf("{%s}", p["name"])
			if !strings.Contains(path, segment) || p["required"] != true {
				o.t.Errorf("parameter %v is not in the path, or not required", p["name"])
			}
			path = strings.Replace(path, segment, fmt.Sprint(p["example"]), 1)
		case "query":
			if p["name"] != "limit" && p["name"] != "cursor" {
				o.t.Errorf("parameter %v is unknown", p["name"])
			}
		default:
			o.t.Errorf("parameter %v is in %v", p["name"], p["in"])
		}
	}
	if strings.Contains(path, "{") {
		o.t.Errorf("a parameter of %s is not described", path)
	}
	return path
}

// exampleBody returns the example of a request; it shows every field.
func (o openAPI) exampleBody(op operation) string {
	if op.spec["requestBody"] == nil {
		return ""
	}
	content := o.get(op.spec, "requestBody", "content", "application/json")
	o.checkExample(content)
	body, err := json.Marshal(content["example"])
	if err != nil {
		o.t.Fatal(err)
	}
	return string(body)
}

func (o openAPI) checkExample(content object) {
	o.t.Helper()
	example, _ := content["example"].(map[string]any)
	for _, wrong := range o.check(content["schema"], content["example"], "example") {
		o.t.Error(wrong)
	}
	for name := range o.get(content, "schema", "properties") {
		if _, ok := example[name]; !ok {
			o.t.Errorf("the example does not show %s", name)
		}
	}
}

// checkAnswer holds an answer against the one success that is described.
func (o openAPI) checkAnswer(op operation, got answer) {
	responses := o.get(op.spec, "responses")
	successes := slices.DeleteFunc(slices.Sorted(maps.Keys(responses)), func(s string) bool { return s == "4XX" || s == "5XX" })
	if len(responses) != 3 || len(successes) != 1 || successes[0] != strconv.Itoa(got.status) {
		o.t.Fatalf("status %d %s; described are %v", got.status, got.body, slices.Sorted(maps.Keys(responses)))
	}
	content := o.get(responses, successes[0], "content")
	if content == nil {
		if len(got.body) > 0 {
			o.t.Errorf("%s is not described", got.body)
		}
		return
	}
	kind := got.header.Get("Content-Type")
	described := o.get(content, kind)
	if described == nil {
		o.t.Fatalf("Content-Type %q is not described", kind)
	}
	var value any = string(got.body)
	if kind == "application/json" {
		o.checkExample(described)
		if err := json.Unmarshal(got.body, &value); err != nil {
			o.t.Fatal(err)
		}
	} else if value != api.OpenAPI {
		o.t.Error("the file served is not the file")
	}
	for _, wrong := range o.check(described["schema"], value, "answer") {
		o.t.Error(wrong)
	}
}

func TestOpenAPIErrors(t *testing.T) {
	o := readOpenAPI(t)
	_, a := newAdmin(t, server.Options{})
	failed := o.get(o.root, "components", "responses", "Error", "content", "application/json")
	o.checkExample(failed)
	for _, got := range []answer{
		a.do("GET", at(api.PathRoom, "none"), ""), a.as("").do("GET", api.PathStats, ""),
		a.do("POST", api.PathRooms, "{"), a.do("POST", api.PathRooms, ""), a.do("PUT", api.PathRooms, ""), a.do("GET", api.Prefix, ""),
	} {
		var value any
		if err := json.Unmarshal(got.body, &value); err != nil || got.status < 400 {
			t.Errorf("status %d %s: %v", got.status, got.body, err)
		}
		for _, wrong := range o.check(failed["schema"], value, "answer") {
			t.Errorf("%s: %s", got.body, wrong)
		}
	}
}

// TestOpenAPISchemasAreTheTypes compares fields by name, and required ones
// with those that are always written.
func TestOpenAPISchemasAreTheTypes(t *testing.T) {
	o := readOpenAPI(t)
	schemas := o.get(o.root, "components", "schemas")
	types := map[string]any{
		"Error": api.Error{}, "PublishRequest": api.PublishRequest{}, "PublishResponse": api.PublishResponse{},
		"BroadcastRequest": api.BroadcastRequest{}, "BroadcastResponse": api.BroadcastResponse{}, "SendRequest": api.SendRequest{},
		"Client": api.Client{}, "DisconnectRequest": api.DisconnectRequest{}, "CreateRoomRequest": api.CreateRoomRequest{},
		"Room": api.Room{}, "RoomList": api.RoomList{}, "Members": api.Members{}, "History": api.History{}, "Message": api.Message{},
		"Node": api.Node{}, "NodeList": api.NodeList{}, "Stats": api.Stats{}, "DrainRequest": api.DrainRequest{},
	}
	for name := range schemas {
		if types[name] == nil && name != "Scope" {
			t.Errorf("schema %s is no type", name)
		}
	}
	for name, value := range types {
		var fields, always []string
		typ := reflect.TypeOf(value)
		for i := range typ.NumField() {
			field, options, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			fields = append(fields, field)
			if options == "" {
				always = append(always, field)
			}
		}
		var required []string
		list, _ := o.get(schemas, name)["required"].([]any)
		for _, r := range list {
			required = append(required, r.(string))
		}
		slices.Sort(fields)
		slices.Sort(always)
		slices.Sort(required)
		if described := slices.Sorted(maps.Keys(o.get(schemas, name, "properties"))); !slices.Equal(described, fields) {
			t.Errorf("%s: described are %v, the fields are %v", name, described, fields)
		}
		if !slices.Equal(required, always) {
			t.Errorf("%s: required are %v, always written are %v", name, required, always)
		}
	}
}
