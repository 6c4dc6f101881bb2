package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certCheckInterval is how often the files of a certificate are looked at.
const certCheckInterval = time.Second

// certificates serves a certificate from files, and reads them again when they
// change: certificates are renewed while a server runs.
type certificates struct {
	files TLSFiles
	log   *slog.Logger

	mu      sync.Mutex // guards all below
	cert    *tls.Certificate
	changed [2]time.Time // modification times of the files that cert is from
	checked time.Time
}

func newCertificates(files TLSFiles, log *slog.Logger) (*certificates, error) {
	c := &certificates{files: files, log: log}
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *certificates) load() error {
	changed, err := c.modified()
	if err != nil {
		return fmt.Errorf("read certificate: %w", err)
	}
	cert, err := tls.LoadX509KeyPair(c.files.CertFile, c.files.KeyFile)
	if err != nil {
		return fmt.Errorf("read certificate: %w", err)
	}
	c.cert, c.changed, c.checked = &cert, changed, time.Now()
	return nil
}

func (c *certificates) modified() (times [2]time.Time, err error) {
	for i, path := range []string{c.files.CertFile, c.files.KeyFile} {
		info, err := os.Stat(path)
		if err != nil {
			return times, err
		}
		times[i] = info.ModTime()
	}
	return times, nil
}

// get returns the certificate for a handshake. While new files cannot be read,
// half of them being written, the old certificate goes on.
func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checked) >= certCheckInterval {
		c.checked = time.Now()
		if changed, err := c.modified(); err == nil && changed != c.changed {
			if err := c.load(); err != nil {
				c.log.Warn("certificate not reloaded", "error", err)
			} else {
				c.log.Info("certificate reloaded")
			}
		}
	}
	return c.cert, nil
}
