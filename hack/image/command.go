package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// readCommit asks git for the commit that is checked out. SOURCE_DATE_EPOCH, in
// seconds since 1970, overrides its time; outside of git it is needed.
// See https://reproducible-builds.org/specs/source-date-epoch/.
func readCommit(ctx context.Context) (commit, error) {
	var c commit
	out, err := output(ctx, nil, "git", "log", "-1", "--format=%H %ct")
	revision, seconds, _ := strings.Cut(out, " ")
	if err == nil {
		c.revision = revision
	}
	if epoch := os.Getenv("SOURCE_DATE_EPOCH"); epoch != "" {
		seconds, err = epoch, nil
	}
	if err != nil {
		return commit{}, fmt.Errorf("time of the images: no git and no SOURCE_DATE_EPOCH: %w", err)
	}
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return commit{}, fmt.Errorf("time of the images: %w", err)
	}
	c.time = time.Unix(n, 0)
	return c, nil
}

// output runs a command, with variables added to the environment, and returns
// what it prints.
func output(ctx context.Context, environ []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), environ...)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(exit.Stderr)))
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return strings.TrimSpace(string(out)), nil
}
