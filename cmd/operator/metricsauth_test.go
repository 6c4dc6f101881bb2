package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
)

// apiServer knows the tokens reader and stranger.
type apiServer struct {
	authenticationclient.TokenReviewInterface
	away  bool
	asked int
}

func (a *apiServer) Create(_ context.Context, r *authenticationv1.TokenReview, _ metav1.CreateOptions) (*authenticationv1.TokenReview, error) {
	a.asked++
	if a.away {
		return nil, errors.New("no answer")
	}
	r.Status.Authenticated = r.Spec.Token == "reader" || r.Spec.Token == "stranger"
	r.Status.User.Username = r.Spec.Token
	return r, nil
}

type permissions struct {
	authorizationclient.SubjectAccessReviewInterface
}

func (permissions) Create(_ context.Context, r *authorizationv1.SubjectAccessReview, _ metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error) {
	a := r.Spec.NonResourceAttributes
	r.Status.Allowed = r.Spec.User == "reader" && a.Path == "/metrics" && a.Verb == "get"
	return r, nil
}

func TestMetricsGuard(t *testing.T) {
	server, now := &apiServer{}, time.Now()
	g := &metricsGuard{tokens: server, access: permissions{}, now: func() time.Time { return now }, verdicts: map[verdictKey]verdict{}}
	handler, err := g.filter(logr.Discard(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(header, path string, want int) {
		t.Helper()
		q := httptest.NewRequest(http.MethodGet, path, nil)
		q.Header.Set("Authorization", header)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, q)
		if w.Code != want {
			t.Errorf("%q: %d, want %d", header, w.Code, want)
		}
	}
	ask("", "/metrics", 401)
	ask("Basic eDp5", "/metrics", 401)
	ask("Bearer ", "/metrics", 401)
	ask("Bearer unknown", "/metrics", 401)
	ask("Bearer stranger", "/metrics", 403)
	ask("Bearer reader", "/metrics", 200)
	ask("Bearer reader", "/other", 403)
	server.asked = 0
	ask("Bearer reader", "/metrics", 200)
	if server.asked != 0 {
		t.Error("asked again within a minute")
	}
	server.away = true
	now = now.Add(time.Minute)
	ask("Bearer reader", "/metrics", 500)
	server.away = false
	ask("Bearer reader", "/metrics", 200)
	for i := range 1000 {
		ask("Bearer "+string(rune('a'+i%26))+string(rune('a'+i/26)), "/metrics", 401)
	}
	if len(g.verdicts) > mostVerdicts {
		t.Errorf("%d verdicts are kept", len(g.verdicts))
	}
}
