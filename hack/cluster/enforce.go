//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// How far behind the rules of a node may be.
const enforceInterval = 500 * time.Millisecond

// enforce keeps this node's packet filter at what the NetworkPolicies say: the
// network plugins of Debian know none. It returns an error of the filter only;
// while the API server does not answer the rules stay.
func (c cluster) enforce(ctx context.Context) error {
	api, err := c.newAPI()
	if err != nil {
		return err
	}
	ticks := time.NewTicker(enforceInterval)
	defer ticks.Stop()
	for last := ""; ; {
		if script, err := api.policyScript(ctx); err != nil {
			fmt.Println("policies:", err)
		} else if script != last {
			cmd := command(ctx, "nft", "-f", "-")
			cmd.Stdin = strings.NewReader(script)
			if _, err := output(cmd); err != nil {
				return fmt.Errorf("policies: %w:\n%s", err, script)
			}
			last = script
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticks.C:
		}
	}
}

// api reads lists from the API server as the admin.
type api struct{ client *http.Client }

func (c cluster) newAPI() (api, error) {
	pki := func(name string) string { return filepath.Join(c.pki(), name) }
	ca, err := os.ReadFile(pki("ca.crt"))
	if err != nil {
		return api{}, err
	}
	pair, err := tls.LoadX509KeyPair(pki("admin.crt"), pki("admin.key"))
	if err != nil {
		return api{}, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}}
	return api{&http.Client{Transport: transport, Timeout: 10 * time.Second}}, nil
}

func (a api) policyScript(ctx context.Context) (string, error) {
	var policies networkingv1.NetworkPolicyList
	if err := a.list(ctx, "/apis/networking.k8s.io/v1/networkpolicies", &policies); err != nil {
		return "", err
	}
	if len(policies.Items) == 0 {
		return world{}.script()
	}
	var pods corev1.PodList
	if err := a.list(ctx, "/api/v1/pods", &pods); err != nil {
		return "", err
	}
	var namespaces corev1.NamespaceList
	if err := a.list(ctx, "/api/v1/namespaces", &namespaces); err != nil {
		return "", err
	}
	return newWorld(policies.Items, pods.Items, namespaces.Items).script()
}

// list reads what the server has at hand: version 0 spares it a round to etcd.
func (a api) list(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, apiURL+path+"?resourceVersion=0", nil)
	if err != nil {
		return err
	}
	response, err := a.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, response.Status)
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return nil
}
