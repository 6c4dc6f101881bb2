//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// A cluster lives for minutes or days.
const certificateLife = 30 * 24 * time.Hour

// authority signs the certificates of one cluster and writes them to a folder.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newAuthority makes an authority: ca.crt and ca.key.
func newAuthority(dir string) (*authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificate(pkix.Name{CommonName: "gohub-cluster"})
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	a := &authority{dir: dir, cert: template, key: key}
	return a, a.write("ca", template, key)
}

func certificate(subject pkix.Name) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      subject,
		NotBefore:    now.Add(-time.Minute),
		NotAfter:     now.Add(certificateLife),
	}
}

// issue writes NAME.crt and NAME.key, good for both sides of a connection.
// Kubernetes takes a user's name from the common name, its groups from the
// organizations.
func (a *authority) issue(name string, subject pkix.Name, names []string, addresses ...string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := certificate(subject)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	template.DNSNames = names
	for _, address := range addresses {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(address))
	}
	return a.write(name, template, key)
}

func (a *authority) write(name string, template *x509.Certificate, key *ecdsa.PrivateKey) error {
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return fmt.Errorf("certificate %s: %w", name, err)
	}
	if err := a.writePEM(name+".crt", "CERTIFICATE", der); err != nil {
		return err
	}
	return a.writeKey(name+".key", key)
}

func (a *authority) writeKey(file string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return a.writePEM(file, "EC PRIVATE KEY", der)
}

func (a *authority) writePEM(file, kind string, der []byte) error {
	return os.WriteFile(filepath.Join(a.dir, file), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// serviceAccounts writes the key that signs their tokens: sa.key and sa.pub.
func (a *authority) serviceAccounts() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	if err := a.writePEM("sa.pub", "PUBLIC KEY", public); err != nil {
		return err
	}
	return a.writeKey("sa.key", key)
}

// kubeconfig issues a client's certificate and writes NAME.kubeconfig, which
// needs no other file.
func (a *authority) kubeconfig(name string, subject pkix.Name) error {
	if err := a.issue(name, subject, nil); err != nil {
		return err
	}
	files := map[string][]byte{}
	for _, file := range []string{"ca.crt", name + ".crt", name + ".key"} {
		content, err := os.ReadFile(filepath.Join(a.dir, file))
		if err != nil {
			return err
		}
		files[file] = content
	}
	type object = map[string]any
	// YAML takes JSON, and JSON writes bytes in base64 as the format wants it.
	text, err := json.MarshalIndent(object{
		"apiVersion":      "v1",
		"kind":            "Config",
		"current-context": "gohub",
		"clusters":        []object{{"name": "gohub", "cluster": object{"server": apiURL, "certificate-authority-data": files["ca.crt"]}}},
		"users":           []object{{"name": name, "user": object{"client-certificate-data": files[name+".crt"], "client-key-data": files[name+".key"]}}},
		"contexts":        []object{{"name": "gohub", "context": object{"cluster": "gohub", "user": name}}},
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(a.dir, name+".kubeconfig"), text, 0o600)
}

// issueAll writes what the programs of a cluster need.
func (a *authority) issueAll(nodes int) error {
	err := a.issue("apiserver", pkix.Name{CommonName: "kube-apiserver"},
		[]string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
		"127.0.0.1", nodeAddress(1), firstServiceAddress)
	if err != nil {
		return err
	}
	if err := a.serviceAccounts(); err != nil {
		return err
	}
	masters := []string{"system:masters"}
	if err := a.issue("kubelet-client", pkix.Name{CommonName: "apiserver-kubelet-client", Organization: masters}, nil); err != nil {
		return err
	}
	clients := map[string]pkix.Name{
		"admin":                   {CommonName: "admin", Organization: masters},
		"kube-controller-manager": {CommonName: "system:kube-controller-manager"},
		"kube-scheduler":          {CommonName: "system:kube-scheduler"},
		"kube-proxy":              {CommonName: "system:kube-proxy"},
	}
	for n := 1; n <= nodes; n++ {
		clients[nodeName(n)] = pkix.Name{CommonName: "system:node:" + nodeName(n), Organization: []string{"system:nodes"}}
		serving := pkix.Name{CommonName: nodeName(n)}
		if err := a.issue(nodeName(n)+"-serving", serving, []string{nodeName(n)}, nodeAddress(n)); err != nil {
			return err
		}
	}
	for name, subject := range clients {
		if err := a.kubeconfig(name, subject); err != nil {
			return err
		}
	}
	return nil
}
