package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"sigs.k8s.io/yaml"
	goyaml "sigs.k8s.io/yaml/goyaml.v2"

	"github.com/chenxilol/gohub/pkg/config"
)

// Source says where configuration is read from.
type Source struct {
	// File is the path of a YAML or JSON file. Empty means the one that the
	// variable GOHUB_CONFIG names, and none where that is not set.
	File string
	// Lookup returns environment variables, as os.LookupEnv does. Nil reads no
	// environment.
	Lookup func(name string) (string, bool)
}

// LoadOptions returns base overlaid with the file that the environment variable
// GOHUB_CONFIG names, where it is set, and then with the GOHUB_* variables;
// docs/configuration.md lists them. A nil base is the zero Options; base is
// not modified and shares no memory with the result but for Logger,
// Registerer and OpenBus.
//
// A file that cannot be read, an unknown key and a value of the wrong type are
// errors that name the key or variable. Values are validated by [NewServer], so
// a program may still complete the options.
func LoadOptions(base *Options) (*Options, error) {
	return LoadOptionsFrom(base, Source{Lookup: os.LookupEnv})
}

// LoadOptionsFrom is [LoadOptions] with the source named.
func LoadOptionsFrom(base *Options, source Source) (*Options, error) {
	c, err := LoadConfig(base.Config(), source)
	if err != nil {
		return nil, err
	}
	loaded := OptionsFromConfig(c)
	if base != nil {
		loaded.Logger = base.Logger
		loaded.Registerer = base.Registerer
		loaded.OpenBus = base.OpenBus
	}
	return loaded, nil
}

// LoadConfig returns base overlaid with the source's file and then its
// environment, for programs that add flags with [config.Set] before they call
// [OptionsFromConfig]. Its errors are those of [LoadOptions].
func LoadConfig(base config.Config, source Source) (config.Config, error) {
	lookup := source.Lookup
	if lookup == nil {
		lookup = func(string) (string, bool) { return "", false }
	}
	file := source.File
	if file == "" {
		file, _ = lookup(config.ConfigFileEnv)
	}
	if file != "" {
		if err := applyFile(&base, file); err != nil {
			return config.Config{}, fmt.Errorf("read config %q: %w", file, err)
		}
	}
	if err := config.ApplyEnv(&base, lookup); err != nil {
		return config.Config{}, err
	}
	return base, nil
}

func applyFile(c *config.Config, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := oneDocument(data); err != nil {
		return err
	}
	// Strict: a key that stands twice is an error.
	object, err := yaml.YAMLToJSONStrict(data)
	if err != nil {
		return err
	}
	return config.ApplyJSON(c, object)
}

// oneDocument refuses a second YAML document, which would be read by nobody.
func oneDocument(data []byte) error {
	d := goyaml.NewDecoder(bytes.NewReader(data))
	var document any
	if err := d.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := d.Decode(&document); !errors.Is(err, io.EOF) {
		return errors.New("must hold one YAML document; a line --- begins another")
	}
	return nil
}
