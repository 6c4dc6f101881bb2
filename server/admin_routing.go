package server

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/chenxilol/gohub/pkg/hub"
)

// find returns the route of a request and sets the request's path values. It
// is no http.ServeMux, for which the id "/", written %2F, is no segment.
func (a *admin) find(r *http.Request) adminRoute {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	segments, ok := pathSegments(r.URL.EscapedPath())
	var allowed []string
	for _, route := range a.routes {
		switch {
		case !ok || !route.matches(segments):
		case route.method == method:
			route.setValues(r, segments)
			return route
		case !slices.Contains(allowed, route.method):
			allowed = append(allowed, route.method)
		}
	}
	return adminRoute{handle: func(_ *admin, c *adminCall) (int, any, error) { return refuseRoute(c, allowed) }}
}

// pathSegments splits a path and decodes its segments; false where that cannot
// be done.
func pathSegments(escaped string) ([]string, bool) {
	segments := strings.Split(escaped, "/")
	for i, s := range segments {
		text, err := url.PathUnescape(s)
		if err != nil {
			return nil, false
		}
		segments[i] = text
	}
	return segments, true
}

func (route *adminRoute) matches(segments []string) bool {
	pattern := strings.Split(route.path, "/")
	return slices.EqualFunc(pattern, segments, func(want, got string) bool {
		return want == got || isWildcard(want) && got != ""
	})
}

func (route *adminRoute) setValues(r *http.Request, segments []string) {
	for i, name := range strings.Split(route.path, "/") {
		if isWildcard(name) {
			r.SetPathValue(strings.Trim(name, "{}"), segments[i])
		}
	}
}

func isWildcard(segment string) bool { return strings.HasPrefix(segment, "{") }

// refuseRoute answers a request that no route serves. allowed are the methods
// that its path does have.
func refuseRoute(c *adminCall, allowed []string) (int, any, error) {
	if len(allowed) == 0 {
		return 0, nil, &statusError{http.StatusNotFound, hub.NewError(hub.CodeFormat, "no such endpoint")}
	}
	methods := strings.Join(allowed, ", ")
	c.w.Header().Set("Allow", methods)
	return 0, nil, &statusError{http.StatusMethodNotAllowed, hub.NewError(hub.CodeFormat, "method must be one of %s", methods)}
}
