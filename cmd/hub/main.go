// Command hub is the stock hub: a websocket server with rooms, tokens and an
// admin API that needs no line of Go. Every key of the configuration is a flag,
// a GOHUB_* variable and a key of a YAML file; `hub --help` lists them.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/chenxilol/gohub/internal/page"
	"github.com/chenxilol/gohub/pkg/config"
	"github.com/chenxilol/gohub/server"
)

// Exit codes.
const (
	exitOK    = 0
	exitError = 1 // it ran and failed
	exitUsage = 2 // it was called wrongly
)

func main() { os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) }

// run is main with everything that it looks at.
func run(args, environ []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "token":
			return runToken(args[1:], environ, stdout, stderr)
		case "help":
			args = []string{"--help"}
		default:
			fmt.Fprintf(stderr, "hub: unknown command %q: want token, or flags (see hub --help)\n", args[0])
			return exitUsage
		}
	}
	f, err := parseFlags(args, stdout, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "hub: %v\n", err)
		return exitUsage
	}
	if f.version {
		fmt.Fprintln(stdout, server.Version())
		return exitOK
	}
	return f.run(environ, stdout, stderr)
}

// run does what the flags say.
func (f *flags) run(environ []string, stdout, stderr io.Writer) int {
	cfg, err := f.config(environ)
	if err == nil && !f.printConfig {
		err = cfg.Validate()
	}
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintf(stderr, "hub: %s\n", line)
		}
		return exitError
	}
	for _, name := range config.UnknownEnv(environ) {
		fmt.Fprintf(stderr, "hub: warning: %s is no variable of the hub\n", name)
	}
	switch {
	case f.printConfig:
		return printConfig(cfg, stdout, stderr)
	case f.checkConfig:
		fmt.Fprintln(stdout, "configuration is valid")
		return exitOK
	}
	if err := serve(cfg, f.page); err != nil {
		fmt.Fprintf(stderr, "hub: %v\n", err)
		return exitError
	}
	return exitOK
}

// config puts the configuration together: defaults, file, environment, flags,
// the later ones winning.
func (f *flags) config(environ []string) (config.Config, error) {
	env := newVariables(environ)
	cfg, err := server.LoadConfig(config.Config{}, server.Source{File: f.file, Lookup: env.lookup})
	if err != nil {
		return cfg, err
	}
	for _, s := range f.set {
		if err := config.Set(&cfg, s.path, s.text); err != nil {
			return cfg, fmt.Errorf("flag --%s: %w", s.flag, err)
		}
	}
	return cfg, nil
}

func printConfig(cfg config.Config, stdout, stderr io.Writer) int {
	out, err := yaml.Marshal(cfg.Effective().Redacted())
	if err != nil {
		fmt.Fprintf(stderr, "hub: print config: %v\n", err)
		return exitError
	}
	fmt.Fprintf(stdout, "%s", out)
	return exitOK
}

// serve runs the hub until a signal.
func serve(cfg config.Config, withPage bool) error {
	s, err := server.NewServer(server.OptionsFromConfig(cfg))
	if err != nil {
		return err
	}
	if withPage {
		s.Handle("/", page.Handler(func() page.Stats {
			x := s.Stats()
			return page.Stats{
				Clients: x.Clients, Rooms: x.Rooms, MessagesReceived: x.MessagesReceived, MessagesSent: x.MessagesSent,
				Node: s.Node(), Version: server.Version(), UptimeSeconds: int64(x.Uptime.Seconds()),
			}
		}))
	}
	return s.Start()
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
