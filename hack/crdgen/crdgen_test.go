package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

const root = "../.."

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestGeneratedFilesAreUpToDate(t *testing.T) {
	if err := run(t.Context(), root, true); err != nil {
		t.Error(err)
	}
}

func TestReferenceHasEveryFieldAndReason(t *testing.T) {
	page, err := reference(filepath.Join(root, apiDir), readFile(t, crdFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\n## replicas\n", "\n#### bus.nats.managed.jetStream.storage.size\n", "\n### rooms[].historyTTL\n",
		"\n### pod.resources\n\nResourceRequirements (core/v1)\n", "\n### pod.env\n\nlist of EnvVar (core/v1)",
		"\nnumber · required · 1 to 1000\n", "\n### drainingReplicas\n",
		"| SecretMissing |", "The reason of MonitoringReady and of ConfigValid.\n", "| CRDMissing | the resource asked for",
		"\nduration · default `30s`", "names of rooms: \"\\*\" stands",
	} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page does not hold %q", want)
		}
	}
	for _, c := range v1alpha1.ConditionTypes() {
		if !bytes.Contains(page, []byte("\n| "+string(c)+" | ")) {
			t.Errorf("condition %s is not there", c)
		}
	}
	if bytes.Contains(page, []byte("\n\n\n")) || bytes.Contains(page, []byte("|  |")) {
		t.Error("a field or a reason has no text")
	}
}

func TestFieldWithoutCommentIsAnError(t *testing.T) {
	crd := string(readFile(t, crdFile))
	const comment = "description: Port is the port clients and gateways connect to,"
	if !strings.Contains(crd, comment) {
		t.Fatalf("the CRD does not hold %q", comment)
	}
	crd = strings.Replace(crd, comment, "title: Port is the port clients and gateways connect to,", 1)
	_, err := reference(filepath.Join(root, apiDir), []byte(crd))
	if err == nil || !strings.Contains(err.Error(), `"service.port" has no comment`) {
		t.Errorf("got %v", err)
	}
}

func TestCompareNamesTheFirstDifference(t *testing.T) {
	dir := t.TempDir()
	f := file{path: "docs/page.md", data: []byte("a\nb\nc\n")}
	if err := f.compare(dir); err == nil {
		t.Error("a missing file passes the check")
	}
	if err := f.write(dir); err != nil {
		t.Fatal(err)
	}
	if err := f.compare(dir); err != nil {
		t.Error(err)
	}
	f.data = []byte("a\nx\nc\n")
	err := f.compare(dir)
	if err == nil || !strings.Contains(err.Error(), "docs/page.md is not up to date; run make generate\nfirst difference in line 2:\n- b\n+ x") {
		t.Errorf("got %v", err)
	}
}
