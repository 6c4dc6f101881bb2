//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// command is exec.CommandContext, but gives what runs a time to end.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// output returns what a command prints; where it fails the error says what it
// wrote of that.
func output(cmd *exec.Cmd) (string, error) {
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, tail(string(exit.Stderr), 2000))
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", cmd.Args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}

// runAll runs commands one after the other, each written as on a command line
// whose words have no spaces.
func runAll(ctx context.Context, lines ...string) error {
	for _, line := range lines {
		words := strings.Fields(line)
		if _, err := output(command(ctx, words[0], words[1:]...)); err != nil {
			return err
		}
	}
	return nil
}

func tail(text string, bytes int) string {
	text = strings.TrimSpace(text)
	if len(text) > bytes {
		text = "..." + text[len(text)-bytes:]
	}
	return text
}

// await asks again until there is no error, and returns the last one when the
// time is up, or that it was interrupted.
func await(ctx context.Context, what string, limit time.Duration, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	pause := time.NewTicker(200 * time.Millisecond)
	defer pause.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return fmt.Errorf("%s: %w", what, ctx.Err())
			}
			return fmt.Errorf("%s: not within %s: %w", what, limit, err)
		case <-pause.C:
		}
	}
}
