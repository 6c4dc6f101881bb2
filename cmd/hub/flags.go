package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/chenxilol/gohub/pkg/config"
)

// flags is what the command line says.
type flags struct {
	file                              string
	page                              bool
	version, printConfig, checkConfig bool
	set                               []setting // keys of the configuration, in order
}

// setting is a key given as a flag.
type setting struct{ flag, path, text string }

// parseFlags reads the command line: the flags of the command itself and one
// for each key of the configuration.
func parseFlags(args []string, stdout, stderr io.Writer) (*flags, error) {
	f := &flags{}
	set := flag.NewFlagSet("hub", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.StringVar(&f.file, "config", "", "")
	set.BoolVar(&f.page, "page", false, "")
	set.BoolVar(&f.version, "version", false, "")
	set.BoolVar(&f.printConfig, "print-config", false, "")
	set.BoolVar(&f.checkConfig, "check-config", false, "")
	for _, k := range config.Keys() {
		if k.Flag != "" {
			set.Var(&keyFlag{key: k, f: f}, k.Flag, "")
		}
	}
	err := set.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		writeHelp(stdout)
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w (see hub --help)", err)
	case set.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q (see hub --help)", set.Arg(0))
	}
	return f, nil
}

// keyFlag is the flag of one key. Its value is checked together with the rest
// of the configuration.
type keyFlag struct {
	key config.Key
	f   *flags
}

func (k *keyFlag) String() string { return "" }

// IsBoolFlag makes --compression short for --compression=true.
func (k *keyFlag) IsBoolFlag() bool { return k.key.Type == "true or false" }

func (k *keyFlag) Set(text string) error {
	k.f.set = append(k.f.set, setting{flag: k.key.Flag, path: k.key.Path, text: text})
	return nil
}

const helpHead = `Usage:
  hub [flags]                 run a hub until SIGTERM or SIGINT
  hub token [flags]           print a token for development (hub token --help)

A setting is taken from its flag, else from its GOHUB_* variable, else from the
YAML file, else it is the default. docs/configuration.md explains them all.

  --config FILE               YAML file with the settings (GOHUB_CONFIG)
  --page                      serve a page to try the hub, at /
  --check-config              say what is wrong with the settings, and exit
  --print-config              print the settings in force as YAML, without secrets, and exit
  --version                   print the version, and exit

Secrets given as flags can be seen by everybody on the machine: use the
variable, or the variable with _FILE behind its name for a file.

`

func writeHelp(w io.Writer) {
	fmt.Fprint(w, helpHead)
	for _, k := range config.Keys() {
		if k.Flag == "" {
			continue
		}
		fmt.Fprintf(w, "  --%s %s\n", k.Flag, strings.ToUpper(strings.ReplaceAll(k.Type, " ", "-")))
		fmt.Fprintf(w, "        %s\n        %s", k.Summary(), k.Env)
		if len(k.Allowed) > 0 {
			fmt.Fprintf(w, "; one of %s", strings.Join(k.Allowed, ", "))
		}
		if k.Default != "" {
			fmt.Fprintf(w, "; default %s", k.Default)
		}
		fmt.Fprintln(w)
	}
}
