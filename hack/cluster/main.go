//go:build linux

// Command cluster runs a real Kubernetes of several nodes on one Linux machine,
// without Docker, a registry or a network outside: the programs are built from
// Go modules, the rest is Debian's. It needs root.
//
//	cluster build            build what is needed, or do nothing when it is there
//	cluster up [-nodes N] [IMAGE.tar...]
//	                         start it, with images loaded into every node
//	cluster load IMAGE.tar...
//	cluster exec COMMAND...  run a command where the cluster's addresses exist
//	cluster kill POD-UID     end a pod's processes at once, as a crash does
//	cluster logs FOLDER      copy what its programs and pods have written
//	cluster down             end it, and leave nothing
//	cluster assets           print a folder with etcd and kube-apiserver; needs no root
//
// Everything runs in namespaces of its own: the addresses 198.18.0.0/15 exist
// only in there, and all of it ends with the first process. NetworkPolicies are
// enforced, volumes follow a pod from node to node, and the images nats:VERSION
// and redis:VERSION are there, of the version in go.mod and of Debian's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

const usage = "want build, up, load, exec, kill, logs, down or assets"

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return errors.New("no command; " + usage)
	}
	command, args := args[0], args[1:]
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	c := cluster{dir: filepath.Join(cache, "cluster")}
	switch command {
	case "build":
		b, err := newBuilder(ctx, stderr)
		if err == nil {
			_, err = b.all(ctx)
		}
		return err
	case "assets":
		return printAssets(ctx, stdout, stderr)
	case "up":
		return runUp(ctx, c, args, stdout, stderr)
	case "load":
		return c.load(ctx, args)
	case "exec":
		return c.exec(args)
	case "kill":
		return c.killPod(args)
	case "logs":
		if len(args) != 1 {
			return errors.New("logs: want one argument, the folder to copy to")
		}
		return c.copyLogs(ctx, args[0])
	case "down":
		return c.down(ctx)
	case roleInit, roleControl, roleNode: // itself, inside the namespaces
		return runInside(ctx, command, args)
	default:
		return fmt.Errorf("command %q: %s", command, usage)
	}
}

func runUp(ctx context.Context, c cluster, args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("up", flag.ContinueOnError)
	fs.SetOutput(stderr)
	nodes := fs.Int("nodes", 2, "number of nodes, 1 to 9")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *nodes < 1 || *nodes > 9 {
		return fmt.Errorf("-nodes %d: want 1 to 9", *nodes)
	}
	b, err := newBuilder(ctx, stderr)
	if err != nil {
		return err
	}
	p, err := b.all(ctx)
	if err != nil {
		return err
	}
	return c.up(ctx, p, *nodes, fs.Args(), stdout)
}

// printAssets prints what KUBEBUILDER_ASSETS has to be.
func printAssets(ctx context.Context, stdout, stderr io.Writer) error {
	b, err := newBuilder(ctx, stderr)
	if err != nil {
		return err
	}
	p, err := b.kubernetes(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, p.dir)
	return err
}
