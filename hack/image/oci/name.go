package oci

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// reference is a full name of an image, and the tag in it.
type reference struct{ name, tag string }

func parseNames(names []string) ([]reference, error) {
	if len(names) == 0 {
		return nil, errors.New("an image needs a name")
	}
	// See the OCI distribution specification, "Pulling manifests". A registry
	// must be there: importers disagree about what a name without one means.
	pattern := regexp.MustCompile(`^[a-zA-Z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+:([a-zA-Z0-9_][a-zA-Z0-9._-]{0,127})$`)
	var references []reference
	for _, name := range names {
		if !pattern.MatchString(name) {
			return nil, fmt.Errorf("image name %q: want REGISTRY/PATH:TAG, the path in lower case", name)
		}
		references = append(references, reference{name, name[strings.LastIndex(name, ":")+1:]})
	}
	return references, nil
}

// Tag makes a version usable as a tag: build metadata is set off by a plus sign,
// which tags must not have.
func Tag(version string) string { return strings.ReplaceAll(version, "+", "-") }
