package oci_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chenxilol/gohub/hack/image/oci"
)

// An archive as an importer sees it.
type layout struct {
	t     *testing.T
	files map[string][]byte
	order []string
}

func read(t *testing.T, archive []byte) layout {
	t.Helper()
	l := layout{t: t, files: map[string][]byte{}}
	for _, e := range entries(t, archive) {
		if _, twice := l.files[e.Name]; twice {
			t.Errorf("%s is in the archive twice", e.Name)
		}
		l.files[e.Name] = e.content
		l.order = append(l.order, e.Name)
	}
	return l
}

type entry struct {
	tar.Header
	content []byte
}

func entries(t *testing.T, archive []byte) []entry {
	t.Helper()
	var all []entry
	r := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, entry{*h, content})
	}
}

type descriptor struct {
	MediaType   string
	Digest      string
	Size        int
	Platform    struct{ OS, Architecture string }
	Annotations map[string]string
}

// blob returns what a descriptor points to, which has to be what it says.
func (l layout) blob(d descriptor) []byte {
	l.t.Helper()
	sum, ok := strings.CutPrefix(d.Digest, "sha256:")
	content, there := l.files["blobs/sha256/"+sum]
	actual := sha256.Sum256(content)
	if !ok || !there || len(content) != d.Size || hex.EncodeToString(actual[:]) != sum {
		l.t.Fatalf("%+v: %d bytes of %x", d, len(content), actual)
	}
	return content
}

func decode[T any](t *testing.T, text []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

type index struct {
	SchemaVersion int
	MediaType     string
	Manifests     []descriptor
}

type manifest struct {
	SchemaVersion int
	MediaType     string
	Config        descriptor
	Layers        []descriptor
}

type imageConfig struct {
	Created, OS, Architecture string
	Config                    oci.Config
	RootFS                    struct {
		Type    string
		DiffIDs []string `json:"diff_ids"`
	}
}

func example(arch string) oci.Image {
	return oci.Image{
		Platform: oci.Platform{OS: "linux", Architecture: arch},
		Created:  time.Unix(1_700_000_000, 5).In(time.FixedZone("elsewhere", 3600)),
		Layers: []oci.Layer{
			{
				{Path: "tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777},
				{Path: "etc/passwd", Mode: 0o644, Content: []byte("root:x:0:0::/:/\n")},
			},
			{
				{Path: "usr/local/bin/hub", Mode: 0o755, Content: []byte("program for " + arch)},
				{Path: "hub", Link: "usr/local/bin/hub"},
			},
		},
		Config: oci.Config{User: "65532:65532", Entrypoint: []string{"/hub"}, Labels: map[string]string{"b": "2", "a": "1"}},
	}
}

func write(t *testing.T, names []string, images ...oci.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := oci.Write(&out, names, images); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestArchiveIsAnImageLayout(t *testing.T) {
	names := []string{"ghcr.io/x/gohub-hub:v1.2.3", "localhost:5000/gohub-hub:latest"}
	l := read(t, write(t, names, example("amd64"), example("arm64")))
	if got := string(l.files["oci-layout"]); got != `{"imageLayoutVersion":"1.0.0"}` {
		t.Errorf("oci-layout: %s", got)
	}
	top := decode[index](t, l.files["index.json"])
	if len(top.Manifests) != 2 || top.Manifests[0].Digest != top.Manifests[1].Digest {
		t.Fatalf("want the same image under two names: %+v", top.Manifests)
	}
	for i, tag := range []string{"v1.2.3", "latest"} {
		a := top.Manifests[i].Annotations
		if a["io.containerd.image.name"] != names[i] || a["org.opencontainers.image.ref.name"] != tag {
			t.Errorf("annotations of %s: %v", names[i], a)
		}
	}
	platforms := decode[index](t, l.blob(top.Manifests[0]))
	if len(platforms.Manifests) != 2 {
		t.Fatalf("platforms: %+v", platforms)
	}
	for i, arch := range []string{"amd64", "arm64"} {
		d := platforms.Manifests[i]
		if d.Platform.OS != "linux" || d.Platform.Architecture != arch {
			t.Errorf("platform %d: %+v", i, d.Platform)
		}
		checkImage(t, l, decode[manifest](t, l.blob(d)), example(arch))
	}
	// Both images have the lower layer; it is there once.
	if blobs := len(l.files) - 2; blobs != 8 {
		t.Errorf("%d blobs: %q; want an index, and for two platforms manifest, configuration and a layer, and one layer for both", blobs, l.order)
	}
}

// checkImage compares an image in an archive with the one that was written.
func checkImage(t *testing.T, l layout, m manifest, want oci.Image) {
	t.Helper()
	config := decode[imageConfig](t, l.blob(m.Config))
	if config.OS != "linux" || config.Architecture != want.Platform.Architecture || config.Created != "2023-11-14T22:13:20Z" {
		t.Errorf("configuration: %+v", config)
	}
	if config.Config.User != want.Config.User || !slices.Equal(config.Config.Entrypoint, want.Config.Entrypoint) || config.Config.Labels["b"] != "2" {
		t.Errorf("how to run it: %+v", config.Config)
	}
	if len(m.Layers) != 2 || len(config.RootFS.DiffIDs) != 2 || config.RootFS.Type != "layers" {
		t.Fatalf("layers: %+v of %+v", m.Layers, config.RootFS)
	}
	var found []entry
	for i, d := range m.Layers {
		zip, err := gzip.NewReader(bytes.NewReader(l.blob(d)))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(zip)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(plain)
		if got := "sha256:" + hex.EncodeToString(sum[:]); got != config.RootFS.DiffIDs[i] {
			t.Errorf("layer %d is %s, the configuration says %s", i, got, config.RootFS.DiffIDs[i])
		}
		found = append(found, entries(t, plain)...)
	}
	want1 := []string{
		"etc/ 755 d", "etc/passwd 644 f", "tmp/ 1777 d",
		"hub 777 l>usr/local/bin/hub", "usr/ 755 d", "usr/local/ 755 d", "usr/local/bin/ 755 d", "usr/local/bin/hub 755 f",
	}
	if got := describe(t, found); !slices.Equal(got, want1) {
		t.Errorf("files:\n%q, want\n%q", got, want1)
	}
	if last := found[len(found)-1]; string(last.content) != "program for "+want.Platform.Architecture {
		t.Errorf("the program: %q", last.content)
	}
}

// describe says of each file its name, permissions and kind.
func describe(t *testing.T, files []entry) []string {
	t.Helper()
	kinds := map[byte]string{tar.TypeReg: "f", tar.TypeDir: "d", tar.TypeSymlink: "l>"}
	var lines []string
	for _, f := range files {
		if f.Uid != 0 || f.Gid != 0 || f.ModTime.Unix() != 1_700_000_000 {
			t.Errorf("%s: owner %d:%d, time %s", f.Name, f.Uid, f.Gid, f.ModTime)
		}
		lines = append(lines, f.Name+" "+octal(f.Mode)+" "+kinds[f.Typeflag]+f.Linkname)
	}
	return lines
}

func octal(n int64) string {
	if n == 0 {
		return ""
	}
	return octal(n/8) + string(rune('0'+n%8))
}

// The same files in another order, at another place of the world.
func TestSameImageSameBytes(t *testing.T) {
	names := []string{"ghcr.io/x/y:1"}
	first := example("amd64")
	second := example("amd64")
	for _, layer := range second.Layers {
		slices.Reverse(layer)
	}
	second.Created = second.Created.UTC()
	if !bytes.Equal(write(t, names, first), write(t, names, second)) {
		t.Error("the same image gave different bytes")
	}
	second.Layers[1][1].Mode = 0o700
	if bytes.Equal(write(t, names, first), write(t, names, second)) {
		t.Error("another image gave the same bytes")
	}
}

func TestWriteRefuses(t *testing.T) {
	with := func(change func(*oci.Image)) []oci.Image {
		image := example("amd64")
		change(&image)
		return []oci.Image{image}
	}
	good := []string{"ghcr.io/x/y:1"}
	for _, tt := range []struct {
		name   string
		names  []string
		images []oci.Image
		want   string
	}{
		{"no name", nil, with(func(*oci.Image) {}), "an image needs a name"},
		{"no tag", []string{"ghcr.io/x/y"}, with(func(*oci.Image) {}), `image name "ghcr.io/x/y": want REGISTRY/PATH:TAG`},
		{"upper case", []string{"ghcr.io/X/y:1"}, with(func(*oci.Image) {}), "the path in lower case"},
		{"no image", good, nil, "no image to write"},
		{"no platform", good, with(func(i *oci.Image) { i.Platform.OS = "" }), "image 0: its platform needs OS and Architecture"},
		{"twice", good, []oci.Image{example("arm64"), example("arm64")}, "two images for linux/arm64"},
		{"absolute", good, with(func(i *oci.Image) { i.Layers[0][0].Path = "/tmp" }), `path "/tmp": want one below the root`},
		{"outside", good, with(func(i *oci.Image) { i.Layers[0][0].Path = "../tmp" }), `path "../tmp": want one below the root`},
		{"file twice", good, with(func(i *oci.Image) { i.Layers[0][1].Path = "tmp" }), `path "tmp" is there twice`},
		{"file as folder", good, with(func(i *oci.Image) { i.Layers[1][1].Path = "usr/local" }), `lies below "usr/local", which is no folder`},
		{"link with content", good, with(func(i *oci.Image) { i.Layers[1][1].Content = []byte("x") }), "only a file has content"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := oci.Write(io.Discard, tt.names, tt.images)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestParsePlatform(t *testing.T) {
	for _, text := range []string{"linux/amd64", "linux/arm/v7"} {
		if p, err := oci.ParsePlatform(text); err != nil || p.String() != text {
			t.Errorf("%s: %v, %v", text, p, err)
		}
	}
	for _, text := range []string{"", "linux", "linux/", "a/b/c/d"} {
		if _, err := oci.ParsePlatform(text); err == nil || !strings.Contains(err.Error(), "want OS/ARCH") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestTag(t *testing.T) {
	if got := oci.Tag("v1.0.0+dirty"); got != "v1.0.0-dirty" {
		t.Error(got)
	}
}
