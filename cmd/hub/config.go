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

// check reports everything that keeps a hub from running with cfg.
func check(cfg config.Config) error {
	return errors.Join(cfg.Validate(), checkSecrets(cfg))
}

// checkSecrets refuses the word that --print-config shows in place of secrets.
// Everybody knows it: a hub that took it for its secret would believe every
// token signed with it.
func checkSecrets(cfg config.Config) error {
	word := config.Config{APIKey: "set"}.Redacted().APIKey
	text, err := yaml.Marshal(cfg)
	if err != nil {
		return fmt.Errorf("read the configuration's secrets: %w", err)
	}
	var tree map[string]any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return fmt.Errorf("read the configuration's secrets: %w", err)
	}
	var problems []error
	for _, k := range config.Keys() {
		if k.Secret && strings.Contains(fmt.Sprint(valueAt(tree, k.Path)), word) {
			problems = append(problems, &config.FieldError{
				Key:    k.Path,
				Reason: fmt.Sprintf("holds %q, which stands for a secret in what --print-config prints; set the secret itself", word),
			})
		}
	}
	return errors.Join(problems...)
}

// valueAt returns what stands at a key's path, nil where nothing does.
func valueAt(tree map[string]any, path string) any {
	name, rest, nested := strings.Cut(path, ".")
	if !nested {
		return tree[name]
	}
	below, _ := tree[name].(map[string]any)
	return valueAt(below, rest)
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
