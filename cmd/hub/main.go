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
		case "check":
			return runCheck(args[1:], stdout, stderr)
		case "help":
			args = []string{"--help"}
		default:
			fmt.Fprintf(stderr, "hub: unknown command %q: want token, check, or flags (see hub --help)\n", args[0])
			return exitUsage
		}
	}
	f, err := parseFlags(args)
	if errors.Is(err, flag.ErrHelp) {
		writeHelp(stdout)
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "hub: %v (see hub --help)\n", err)
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
	// Before the errors: a misspelt name is often the reason for them.
	for _, name := range config.UnknownEnv(environ) {
		fmt.Fprintf(stderr, "hub: warning: %s is no variable of the hub%s\n", name, config.DidYouMean(name, config.EnvNames()))
	}
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
	switch {
	case f.printConfig:
		err = printConfig(cfg, stdout)
	case f.checkConfig:
		fmt.Fprintln(stdout, "configuration is valid")
	default:
		err = serve(cfg, f.page)
	}
	if err != nil {
		fmt.Fprintf(stderr, "hub: %v\n", err)
		return exitError
	}
	return exitOK
}
