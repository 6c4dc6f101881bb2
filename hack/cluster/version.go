//go:build linux

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

const (
	source     = "hack/cluster/programs" // the module with the programs
	natsModule = "github.com/nats-io/nats-server/v2"
)

// buildFlags are the same for every program here and for the project's own
// static ones: with others, Go compiles all that they share once more.
func buildFlags() []string { return []string{"-trimpath", "-buildvcs=false"} }

// linkFlags leave out what only a debugger reads, and tell Kubernetes its
// version, which charts ask for.
func (b builder) linkFlags() (string, error) {
	version, err := b.version(filepath.Join(source, "go.mod"), "k8s.io/kubernetes")
	if err != nil {
		return "", err
	}
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	const variable = "-X k8s.io/component-base/version."
	return fmt.Sprintf("-s -w %[1]sgitVersion=v%[2]s %[1]sgitMajor=%[3]s %[1]sgitMinor=%[4]s %[1]sgitTreeState=clean",
		variable, version, major, minor), nil
}

// version reads the version of a required module, without the v.
func (b builder) version(gomod, module string) (string, error) {
	text, err := os.ReadFile(filepath.Join(b.root, gomod))
	if err != nil {
		return "", err
	}
	found := regexp.MustCompile(`(?m)^\s*(?:require )?` + regexp.QuoteMeta(module) + ` v(\S+)`).FindSubmatch(text)
	if found == nil {
		return "", fmt.Errorf("%s: no version of %s in it", gomod, module)
	}
	return string(found[1]), nil
}

// fingerprint names everything that the programs depend on.
func (b builder) fingerprint() (string, error) {
	link, err := b.linkFlags()
	if err != nil {
		return "", err
	}
	nats, err := b.version("go.mod", natsModule)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.Version(), runtime.GOOS, runtime.GOARCH, buildFlags(), link, nats)
	for _, pattern := range []string{"go.mod", "go.sum", "*/*.go"} {
		files, err := filepath.Glob(filepath.Join(b.root, source, pattern))
		if err != nil {
			return "", err
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(sum, "%s %d\n%s", filepath.Base(file), len(content), content)
		}
	}
	return hex.EncodeToString(sum.Sum(nil))[:12], nil
}
