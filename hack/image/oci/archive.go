// Package oci writes container images as archives of the OCI image layout, with
// no daemon and no network, from files alone. The same images give the same
// bytes, whoever writes them, wherever and when.
//
// The archive is what `ctr images import`, `kind load image-archive`, `podman
// load` and `skopeo copy oci-archive:...` read.
package oci

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Media types of the OCI image specification v1.1.
const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// Annotations by which an importer names what it imports: the specification
// knows the tag only, containerd reads the whole name.
const (
	annotationTag  = "org.opencontainers.image.ref.name"
	annotationName = "io.containerd.image.name"
)

// descriptor is how the specification refers to content.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Platform    *Platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// index is the list of images in an archive, and of the platforms of an image.
type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []descriptor `json:"manifests"`
}

// Write writes one image under each of the names, which are full references
// with a tag (registry.example/name:tag). The images are the same program for
// different platforms: at least one, no platform twice.
func Write(w io.Writer, names []string, images []Image) error {
	references, err := parseNames(names)
	if err != nil {
		return err
	}
	if err := checkPlatforms(images); err != nil {
		return err
	}
	a := archive{tar: tar.NewWriter(w), written: map[string]bool{}}
	if err := a.file("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return err
	}
	platforms := index{SchemaVersion: 2, MediaType: typeIndex}
	for _, image := range images {
		d, err := a.image(image)
		if err != nil {
			return fmt.Errorf("image for %s: %w", image.Platform, err)
		}
		platforms.Manifests = append(platforms.Manifests, d)
	}
	root, err := a.json(typeIndex, platforms)
	if err != nil {
		return err
	}
	top := index{SchemaVersion: 2, MediaType: typeIndex}
	for _, r := range references {
		d := root
		d.Annotations = map[string]string{annotationName: r.name, annotationTag: r.tag}
		top.Manifests = append(top.Manifests, d)
	}
	text, err := json.Marshal(top)
	if err != nil {
		return err
	}
	if err := a.file("index.json", text); err != nil {
		return err
	}
	return a.tar.Close()
}

func checkPlatforms(images []Image) error {
	if len(images) == 0 {
		return errors.New("no image to write")
	}
	for i, image := range images {
		if image.Platform.OS == "" || image.Platform.Architecture == "" {
			return fmt.Errorf("image %d: its platform needs OS and Architecture", i)
		}
		if slices.ContainsFunc(images[:i], func(other Image) bool { return other.Platform == image.Platform }) {
			return fmt.Errorf("two images for %s", image.Platform)
		}
	}
	return nil
}
