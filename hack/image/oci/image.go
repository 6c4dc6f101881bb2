package oci

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Platform is what a program runs on, in Go's names (GOOS, GOARCH).
type Platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Variant      string `json:"variant,omitempty"` // v7 of arm, else empty
}

// ParsePlatform reads "linux/amd64" or "linux/arm/v7".
func ParsePlatform(text string) (Platform, error) {
	parts := strings.Split(text, "/")
	if len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "") {
		return Platform{}, fmt.Errorf("platform %q: want OS/ARCH or OS/ARCH/VARIANT, as linux/amd64", text)
	}
	p := Platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return p, nil
}

// String is what ParsePlatform reads.
func (p Platform) String() string {
	if p.Variant == "" {
		return p.OS + "/" + p.Architecture
	}
	return p.OS + "/" + p.Architecture + "/" + p.Variant
}

// Image is a program for one platform, and how it is run.
type Image struct {
	Platform Platform
	Layers   []Layer // the lowest first
	Config   Config
	Created  time.Time // of the commit, not of the build; to the second
}

// Config is how a container of an image is run. See the OCI image specification,
// "Image Configuration".
type Config struct {
	User         string              `json:"User,omitempty"`         // a number: Kubernetes checks runAsNonRoot by it
	ExposedPorts map[string]struct{} `json:"ExposedPorts,omitempty"` // 8080/tcp; for people, opens nothing
	Env          []string            `json:"Env,omitempty"`          // NAME=VALUE
	Entrypoint   []string            `json:"Entrypoint,omitempty"`
	Cmd          []string            `json:"Cmd,omitempty"` // arguments unless others are given
	WorkingDir   string              `json:"WorkingDir,omitempty"`
	Labels       map[string]string   `json:"Labels,omitempty"`
	StopSignal   string              `json:"StopSignal,omitempty"` // SIGTERM if empty
}

// imageConfig is the document that holds a Config.
type imageConfig struct {
	Created string `json:"created"`
	Platform
	Config Config `json:"config"`
	RootFS rootFS `json:"rootfs"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"` // digests of the layers before compression
}

// manifest names the blobs of an image for one platform.
type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

// image writes an image's blobs and describes its manifest.
func (a *archive) image(image Image) (descriptor, error) {
	config := imageConfig{
		Created:  image.Created.UTC().Format(time.RFC3339),
		Platform: image.Platform,
		Config:   image.Config,
		RootFS:   rootFS{Type: "layers"},
	}
	m := manifest{SchemaVersion: 2, MediaType: typeManifest}
	for _, layer := range image.Layers {
		plain, compressed, err := layer.pack(image.Created)
		if err != nil {
			return descriptor{}, err
		}
		d, err := a.blob(typeLayer, compressed)
		if err != nil {
			return descriptor{}, err
		}
		m.Layers = append(m.Layers, d)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, "sha256:"+plain)
	}
	var err error
	if m.Config, err = a.json(typeConfig, config); err != nil {
		return descriptor{}, err
	}
	d, err := a.json(typeManifest, m)
	d.Platform = &image.Platform
	return d, err
}
