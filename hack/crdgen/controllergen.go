package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// The package with the types, and the files made from it, relative to the
// module's root.
const (
	apiDir        = "api/v1alpha1"
	copiesFile    = "api/v1alpha1/zz_generated.deepcopy.go"
	crdFile       = "config/crd/gohub.io_gohubclusters.yaml"
	chartCRDFile  = "charts/gohub/crds/gohub.io_gohubclusters.yaml" // a copy: a chart is one folder
	referenceFile = "docs/reference/gohubcluster.md"
)

// controllerGen runs controller-gen of hack/tools and returns what it makes, by
// path.
func controllerGen(ctx context.Context, root string) (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "crdgen")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cmd := exec.CommandContext(ctx, "go", "tool", "-modfile=hack/tools/go.mod", "controller-gen",
		"object", "crd", "paths=./"+apiDir, "output:dir="+dir)
	cmd.Dir = root
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("run controller-gen: %w\n%s", err, output.Bytes())
	}
	files := map[string][]byte{copiesFile: nil, crdFile: nil}
	for path := range files {
		if files[path], err = os.ReadFile(filepath.Join(dir, filepath.Base(path))); err != nil {
			return nil, fmt.Errorf("read what controller-gen made: %w", err)
		}
	}
	return files, nil
}
