package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/chenxilol/gohub/pkg/config"
	"github.com/chenxilol/gohub/server"
)

// config puts the configuration together: defaults, file, environment, flags,
// the later ones winning. Every flag of the wrong form is reported.
func (f *flags) config(environ []string) (config.Config, error) {
	cfg, err := server.LoadConfig(config.Config{}, server.Source{File: f.file, Lookup: newVariables(environ).lookup})
	problems := []error{err}
	for _, s := range f.set {
		if err := config.Set(&cfg, s.path, s.text); err != nil {
			problems = append(problems, fmt.Errorf("flag --%s: %w", s.flag, err))
		}
	}
	return cfg, errors.Join(problems...)
}

// printConfig writes the settings in force as YAML that --config reads.
func printConfig(cfg config.Config, stdout io.Writer) error {
	out, err := yaml.Marshal(cfg.Effective().Redacted())
	if err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	_, err = stdout.Write(out)
	return err
}

// variables is an environment.
type variables map[string]string

func newVariables(environ []string) variables {
	v := make(variables, len(environ))
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok {
			v[name] = value
		}
	}
	return v
}

func (v variables) lookup(name string) (string, bool) {
	value, ok := v[name]
	return value, ok
}
