// Command operator makes of each GoHubCluster of a Kubernetes cluster what it asks
// for: hubs, their bus, and what is in front of them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
)

// Exit codes.
const (
	exitOK    = 0
	exitError = 1 // it ran and failed
	exitUsage = 2 // it was called wrongly
)

const usage = `Usage:
  operator [run] [flags]         reconcile GoHubClusters until SIGTERM or SIGINT
  operator crds apply [flags]    install the custom resource definitions, or update them
  operator version               print the version

operator run --help and operator crds apply --help list the flags.
`

// usageError is a command line that cannot be understood.
type usageError struct{ error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	code := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main with everything that it looks at.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	err := command(ctx, args, environ, stdout, stderr)
	switch _, wrong := errors.AsType[usageError](err); {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case wrong:
		fmt.Fprintf(stderr, "operator: %v (see operator help)\n", err)
		return exitUsage
	default:
		fmt.Fprintf(stderr, "operator: %v\n", err)
		return exitError
	}
}

func command(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	name := "run"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	}
	switch name {
	case "run":
		return runOperator(ctx, args, environ, stdout, stderr)
	case "crds":
		if len(args) == 0 || args[0] != "apply" {
			return usageError{errors.New("crds takes the command apply")}
		}
		return applyCRDs(ctx, args[1:], stdout)
	case "version":
		fmt.Fprintln(stdout, version())
		return nil
	case "help":
		fmt.Fprint(stdout, usage)
		return nil
	}
	return usageError{fmt.Errorf("unknown command %q: want run, crds or version", name)}
}

// version is the one that the program was built as.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// parse reads flags, and refuses further arguments.
func parse(fs *flag.FlagSet, args []string, stdout io.Writer) error {
	fs.SetOutput(io.Discard) // the error says it all
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(stdout, "Usage of operator %s:\n", fs.Name())
		fs.SetOutput(stdout)
		fs.PrintDefaults()
		return err
	}
	if err != nil {
		return usageError{err}
	}
	if fs.NArg() > 0 {
		return usageError{fmt.Errorf("unknown argument %q", fs.Arg(0))}
	}
	return nil
}
