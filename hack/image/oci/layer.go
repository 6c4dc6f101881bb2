package oci

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// Layer is a set of files. Their order does not matter; folders that are not
// named are made, owned by root and readable by everyone.
type Layer []File

// File is a file, a link or a folder. It belongs to root, so that the program,
// which is not root, cannot change it.
type File struct {
	Path    string      // below the root, without a leading slash: usr/local/bin/hub
	Mode    fs.FileMode // permissions; with fs.ModeDir a folder, with fs.ModeSticky as /tmp
	Content []byte      // of a file
	Link    string      // what a symbolic link points to; Content is then nothing
}

// pack returns the digest of the layer's tar, and the tar compressed.
func (l Layer) pack(modified time.Time) (string, []byte, error) {
	files, err := l.withFolders()
	if err != nil {
		return "", nil, err
	}
	var plain, compressed bytes.Buffer
	archive := tar.NewWriter(&plain)
	for _, f := range files {
		if err := f.write(archive, modified); err != nil {
			return "", nil, fmt.Errorf("layer: file %q: %w", f.Path, err)
		}
	}
	if err := archive.Close(); err != nil {
		return "", nil, fmt.Errorf("layer: %w", err)
	}
	// No name and no time in the header, so that the bytes depend on the files
	// alone (and on the release of Go, whose compressor may change).
	zip := gzip.NewWriter(&compressed)
	if _, err := zip.Write(plain.Bytes()); err != nil {
		return "", nil, fmt.Errorf("layer: compress: %w", err)
	}
	if err := zip.Close(); err != nil {
		return "", nil, fmt.Errorf("layer: compress: %w", err)
	}
	return digest(plain.Bytes()), compressed.Bytes(), nil
}

// withFolders returns the files in order, with every folder above them.
func (l Layer) withFolders() ([]File, error) {
	byPath := map[string]File{}
	for _, f := range l {
		if !fs.ValidPath(f.Path) || f.Path == "." {
			return nil, fmt.Errorf("layer: path %q: want one below the root, without a leading slash or dots", f.Path)
		}
		if _, twice := byPath[f.Path]; twice {
			return nil, fmt.Errorf("layer: path %q is there twice", f.Path)
		}
		byPath[f.Path] = f
	}
	for _, f := range l {
		for dir := path.Dir(f.Path); dir != "."; dir = path.Dir(dir) {
			if above, ok := byPath[dir]; !ok {
				byPath[dir] = File{Path: dir, Mode: fs.ModeDir | 0o755}
			} else if !above.Mode.IsDir() {
				return nil, fmt.Errorf("layer: path %q lies below %q, which is no folder", f.Path, dir)
			}
		}
	}
	files := make([]File, 0, len(byPath))
	for _, f := range byPath {
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

func (f File) write(w *tar.Writer, modified time.Time) error {
	header := tar.Header{
		Typeflag: tar.TypeReg,
		Name:     f.Path,
		Mode:     int64(f.Mode.Perm()),
		Size:     int64(len(f.Content)),
		ModTime:  modified.UTC().Truncate(time.Second),
	}
	switch {
	case f.Mode.IsDir():
		header.Typeflag = tar.TypeDir
		header.Name += "/"
	case f.Link != "":
		header.Typeflag, header.Linkname, header.Mode = tar.TypeSymlink, f.Link, 0o777
	}
	if header.Typeflag != tar.TypeReg && len(f.Content) > 0 {
		return fmt.Errorf("only a file has content")
	}
	if f.Mode&fs.ModeSticky != 0 {
		header.Mode |= 0o1000 // as in chmod(2): tar knows its own bits only
	}
	if err := w.WriteHeader(&header); err != nil {
		return err
	}
	_, err := io.Copy(w, bytes.NewReader(f.Content))
	return err
}
