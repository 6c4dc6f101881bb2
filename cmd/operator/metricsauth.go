package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

const (
	// verdictLasts is how long the API server is not asked about a token again.
	verdictLasts = time.Minute
	// mostVerdicts bounds what strangers can have remembered.
	mostVerdicts = 128
	// reviewTimeout bounds the questions to the API server.
	reviewTimeout = 5 * time.Second
)

// metricsGuard lets callers read the metrics whom the API server knows by their
// token and lets get the path. controller-runtime's own filter does the same with
// the whole library of API servers, which is half of the operator's memory.
type metricsGuard struct {
	tokens authenticationclient.TokenReviewInterface
	access authorizationclient.SubjectAccessReviewInterface
	now    func() time.Time

	mu       sync.Mutex // guards verdicts
	verdicts map[verdictKey]verdict
}

type verdictKey struct {
	token [sha256.Size]byte
	path  string
}

// verdict is the status of the answer, 200 where the caller may read.
type verdict struct {
	status int
	until  time.Time
}

// newMetricsGuard is a metricsserver.Options.FilterProvider.
func newMetricsGuard(cfg *rest.Config, client *http.Client) (metricsserver.Filter, error) {
	tokens, err := authenticationclient.NewForConfigAndClient(cfg, client)
	if err != nil {
		return nil, fmt.Errorf("make a client for tokens: %w", err)
	}
	access, err := authorizationclient.NewForConfigAndClient(cfg, client)
	if err != nil {
		return nil, fmt.Errorf("make a client for permissions: %w", err)
	}
	g := &metricsGuard{
		tokens: tokens.TokenReviews(), access: access.SubjectAccessReviews(), now: time.Now, verdicts: map[verdictKey]verdict{},
	}
	return g.filter, nil
}

func (g *metricsGuard) filter(log logr.Logger, next http.Handler) (http.Handler, error) {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		token, ok := strings.CutPrefix(q.Header.Get("Authorization"), "Bearer ")
		if !ok || token == "" {
			http.Error(w, "a bearer token is needed", http.StatusUnauthorized)
			return
		}
		status, err := g.judge(q.Context(), token, q.URL.Path)
		switch {
		case err != nil:
			log.Error(err, "Cannot ask whether a caller may read the metrics")
			http.Error(w, "the API server does not answer", http.StatusInternalServerError)
		case status != http.StatusOK:
			http.Error(w, http.StatusText(status), status)
		default:
			next.ServeHTTP(w, q)
		}
	}), nil
}

// judge returns the status for a caller.
func (g *metricsGuard) judge(ctx context.Context, token, path string) (int, error) {
	key := verdictKey{sha256.Sum256([]byte(token)), path}
	g.mu.Lock()
	v, ok := g.verdicts[key]
	g.mu.Unlock()
	if ok && g.now().Before(v.until) {
		return v.status, nil
	}
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	status, err := g.review(ctx, token, path)
	if err != nil {
		return 0, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.verdicts) >= mostVerdicts {
		clear(g.verdicts)
	}
	g.verdicts[key] = verdict{status, g.now().Add(verdictLasts)}
	return status, nil
}

func (g *metricsGuard) review(ctx context.Context, token, path string) (int, error) {
	who, err := g.tokens.Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token},
	}, metav1.CreateOptions{})
	if err != nil {
		return 0, fmt.Errorf("review a token: %w", err)
	}
	if !who.Status.Authenticated {
		return http.StatusUnauthorized, nil
	}
	user := who.Status.User
	extra := map[string]authorizationv1.ExtraValue{}
	for name, values := range user.Extra {
		extra[name] = authorizationv1.ExtraValue(values)
	}
	may, err := g.access.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: path, Verb: "get"},
	}}, metav1.CreateOptions{})
	if err != nil {
		return 0, fmt.Errorf("review whether %s may get %s: %w", user.Username, path, err)
	}
	if !may.Status.Allowed {
		return http.StatusForbidden, nil
	}
	return http.StatusOK, nil
}
