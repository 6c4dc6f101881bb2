package oci

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// archive is an image layout that is being written.
type archive struct {
	tar     *tar.Writer
	written map[string]bool // digests of the blobs that are there
}

// file writes one file of the layout. It has no time and no owner, as both
// would differ from one build to the next.
func (a *archive) file(name string, content []byte) error {
	header := tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(content)), Mode: 0o644, Format: tar.FormatUSTAR}
	if err := a.tar.WriteHeader(&header); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if _, err := a.tar.Write(content); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// blob writes content under its digest, once.
func (a *archive) blob(mediaType string, content []byte) (descriptor, error) {
	sum := digest(content)
	d := descriptor{MediaType: mediaType, Digest: "sha256:" + sum, Size: int64(len(content))}
	if a.written[sum] {
		return d, nil
	}
	a.written[sum] = true
	return d, a.file("blobs/sha256/"+sum, content)
}

func (a *archive) json(mediaType string, value any) (descriptor, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return descriptor{}, fmt.Errorf("encode %s: %w", mediaType, err)
	}
	return a.blob(mediaType, text)
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
