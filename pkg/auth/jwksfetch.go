package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/MicahParks/jwkset"
)

const (
	jwksTimeout  = 10 * time.Second
	maxJWKSBytes = 256 << 10
)

// jwksFetcher reads a key set from one fixed address. Of keyfunc, only its JWK
// decoder is used: its storage reads bodies without a limit, gives up a whole set
// for one odd key, and binds a key without "alg" to no algorithm.
type jwksFetcher struct {
	address   string
	algorithm string // the configured one, may be empty
	client    *http.Client
	close     func()
}

func newJWKSFetcher(address, algorithm string, client *http.Client) jwksFetcher {
	f := jwksFetcher{address: address, algorithm: algorithm, client: client, close: func() {}}
	if client == nil {
		transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
		f.client = &http.Client{
			Transport: transport,
			// The address is fixed: what it points to elsewhere is not trusted.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		f.close = transport.CloseIdleConnections
	}
	return f
}

// fetch makes one request. A set without usable keys is not an error: it is how
// an issuer withdraws them.
func (f jwksFetcher) fetch(ctx context.Context) ([]boundKey, error) {
	ctx, cancel := context.WithTimeout(ctx, jwksTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.address, nil)
	if err != nil {
		return nil, errors.New("read key set: the address cannot be used")
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("read key set: %w", withoutURL(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read key set: the endpoint answered with status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxJWKSBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read key set: %w", err)
	}
	if len(body) > maxJWKSBytes {
		return nil, fmt.Errorf("read key set: longer than %d bytes", maxJWKSBytes)
	}
	return parseJWKS(body, f.algorithm)
}

// withoutURL drops the address from a client's error; it may hold credentials.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// parseJWKS returns the usable keys of a set (RFC 7517, section 5). Others are
// left out, as that section asks, and do not spoil the rest.
func parseJWKS(body []byte, algorithm string) ([]boundKey, error) {
	var set struct {
		Keys *[]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil || set.Keys == nil {
		return nil, errors.New("read key set: not a JSON Web Key Set")
	}
	var keys []boundKey
	for _, raw := range *set.Keys {
		if key, ok := parseJWK(raw, algorithm); ok {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// parseJWK returns the key of a JWK if it is a public signature key whose
// algorithm is supported and the configured one, if any. Symmetric keys are never
// taken: a secret that is published is none.
func parseJWK(raw json.RawMessage, algorithm string) (boundKey, bool) {
	var jwk jwkset.JWKMarshal
	if json.Unmarshal(raw, &jwk) != nil || jwk.KTY == jwkset.KtyOct {
		return boundKey{}, false
	}
	forSignatures := (jwk.USE == "" || jwk.USE == jwkset.UseSig) &&
		(len(jwk.KEYOPS) == 0 || slices.Contains(jwk.KEYOPS, jwkset.KeyOpsVerify))
	named := jwk.ALG.String()
	if !forSignatures || (named != "" && algorithm != "" && named != algorithm) {
		return boundKey{}, false
	}
	if algorithm == "" {
		algorithm = named
	}
	// Only the key itself is decoded: certificates and their addresses (x5u) play no part.
	decoded, err := jwkset.NewJWKFromMarshal(jwkset.JWKMarshal{
		KTY: jwk.KTY, CRV: jwk.CRV, X: jwk.X, Y: jwk.Y, N: jwk.N, E: jwk.E,
	}, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return boundKey{}, false
	}
	key, err := bindPublicKey(decoded.Key(), algorithm)
	if err != nil {
		return boundKey{}, false
	}
	key.id = jwk.KID
	return key, true
}
