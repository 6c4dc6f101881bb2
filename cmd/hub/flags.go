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
// for each key of the configuration. It returns flag.ErrHelp for --help.
func parseFlags(args []string) (*flags, error) {
	f := &flags{}
	set := flag.NewFlagSet("hub", flag.ContinueOnError)
	set.SetOutput(io.Discard) // errors are returned, and writeHelp does better
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
	switch err := set.Parse(args); {
	case err != nil:
		return nil, unknownFlag(err, set)
	case set.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", set.Arg(0))
	case f.printConfig && f.checkConfig:
		return nil, errors.New("--print-config and --check-config do not go together")
	}
	return f, nil
}

// unknownFlag makes the error of a flag that set does not have name those near
// it; any other error it returns as it is.
func unknownFlag(err error, set *flag.FlagSet) error {
	name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !ok {
		return err
	}
	var known []string
	set.VisitAll(func(f *flag.Flag) { known = append(known, "--"+f.Name) })
	name = "--" + name
	return fmt.Errorf("unknown flag %s%s", name, config.DidYouMean(name, known))
}

// parseCommand reads the flags of a command that takes nothing else. For --help it
// writes usage and the flags to stdout and returns flag.ErrHelp.
func parseCommand(set *flag.FlagSet, args []string, usage string, stdout io.Writer) error {
	set.SetOutput(io.Discard)
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stdout, usage)
			set.SetOutput(stdout)
			set.PrintDefaults()
		}
		return unknownFlag(err, set)
	}
	if set.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", set.Arg(0))
	}
	return nil
}

// keyFlag is the flag of one key. Its value is checked together with the rest
// of the configuration.
type keyFlag struct {
	key config.Key
	f   *flags
}

func (k *keyFlag) String() string { return "" }

// IsBoolFlag makes --compression short for --compression=true.
func (k *keyFlag) IsBoolFlag() bool { return isSwitch(k.key) }

func (k *keyFlag) Set(text string) error {
	k.f.set = append(k.f.set, setting{flag: k.key.Flag, path: k.key.Path, text: text})
	return nil
}

func isSwitch(k config.Key) bool { return k.Type == "true or false" }
