//go:build linux

package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Every certificate is good for whom it is for, and for nobody else.
func TestCertificates(t *testing.T) {
	dir := t.TempDir()
	a, err := newAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.issueAll(2); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if ca, err := os.ReadFile(filepath.Join(dir, "ca.crt")); err != nil || !roots.AppendCertsFromPEM(ca) {
		t.Fatalf("ca.crt: %v", err)
	}
	for _, tt := range []struct{ file, host, stranger string }{
		{"apiserver", "kubernetes.default.svc", "example.org"},
		{"apiserver", "198.19.0.1", "198.19.0.2"},
		{"apiserver", "198.18.0.1", "198.18.0.2"},
		{"node2-serving", "198.18.0.2", "198.18.0.1"},
	} {
		leaf := load(t, filepath.Join(dir, tt.file))
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: tt.host}); err != nil {
			t.Errorf("%s for %s: %v", tt.file, tt.host, err)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: tt.stranger}); err == nil {
			t.Errorf("%s is good for %s", tt.file, tt.stranger)
		}
	}
	for name, want := range map[string]struct {
		user   string
		groups []string
	}{
		"admin":          {"admin", []string{"system:masters"}},
		"kube-scheduler": {"system:kube-scheduler", nil},
		"node2":          {"system:node:node2", []string{"system:nodes"}},
	} {
		leaf := load(t, filepath.Join(dir, name))
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		if err != nil || leaf.Subject.CommonName != want.user || !slices.Equal(leaf.Subject.Organization, want.groups) {
			t.Errorf("%s: %s, %v", name, leaf.Subject, err)
		}
		checkKubeconfig(t, dir, name)
	}
}

// load reads a certificate, whose key has to fit.
func load(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(name+".crt", name+".key")
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

func checkKubeconfig(t *testing.T, dir, name string) {
	t.Helper()
	file := filepath.Join(dir, name+".kubeconfig")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Users []struct {
			User map[string]string
		}
	}
	if err := json.Unmarshal(text, &config); err != nil || len(config.Users) != 1 {
		t.Fatalf("%s: %v", file, err)
	}
	key, err := base64.StdEncoding.DecodeString(config.Users[0].User["client-key-data"])
	if err != nil {
		t.Fatal(err)
	}
	if want, err := os.ReadFile(filepath.Join(dir, name+".key")); err != nil || string(key) != string(want) {
		t.Errorf("%s has another key: %v", file, err)
	}
	if mode, err := os.Stat(file); err != nil || mode.Mode().Perm() != 0o600 {
		t.Errorf("%s: mode %v, %v", file, mode.Mode(), err)
	}
}
