package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/chenxilol/gohub/pkg/client"
)

// check is what the command line of hub check says.
type check struct {
	url       string
	room      string
	tokenFile string
	timeout   time.Duration
}

// runCheck tries a hub as its clients use it.
func runCheck(args []string, stdout, stderr io.Writer) int {
	c, err := parseCheck(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "hub check: %v (see hub check --help)\n", err)
		return exitUsage
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	report, err := c.run(ctx)
	if err != nil {
		fmt.Fprintf(stderr, "hub check: %v\n", err)
		return exitError
	}
	fmt.Fprintln(stdout, report)
	return exitOK
}

// parseCheck reads the command line. For --help it writes the usage to stdout
// and returns flag.ErrHelp.
func parseCheck(args []string, stdout io.Writer) (*check, error) {
	c := &check{}
	f := flag.NewFlagSet("hub check", flag.ContinueOnError)
	f.StringVar(&c.url, "url", "", "where the hub's websockets are, such as ws://localhost:8080/ws (required)")
	f.StringVar(&c.room, "room", "", "the `room` to try; by default one with a name of its own, which joining makes")
	f.StringVar(&c.tokenFile, "token-file", "", "`file` with two tokens, one a line, of two client ids that may join the room and send to it")
	f.DurationVar(&c.timeout, "timeout", 30*time.Second, "how long it tries, from the first connection to the message")
	const usage = "Usage: hub check --url URL [flags]\n\n" +
		"Opens two connections, joins a room with both, and exits with 0 when one hears\n" +
		"what the other one sent. It tries to connect until the time is up.\n\n"
	if err := parseCommand(f, args, usage, stdout); err != nil {
		return nil, err
	}
	switch {
	case c.url == "":
		return nil, errors.New("--url is required")
	case c.timeout <= 0:
		return nil, fmt.Errorf("--timeout: %v is not above 0", c.timeout)
	}
	if c.room == "" {
		c.room = "gohub-check-" + strings.ToLower(rand.Text())
	}
	return c, nil
}

// run sends a message from one connection to another and reports how it went.
func (c *check) run(ctx context.Context) (string, error) {
	tokens, err := c.tokens()
	if err != nil {
		return "", err
	}
	heard := make(chan client.RoomMessage, 1)
	listener, err := c.join(ctx, tokens[0], func(_ context.Context, m client.RoomMessage) {
		select {
		case heard <- m:
		default:
		}
	})
	if err != nil {
		return "", fmt.Errorf("first connection: %w", err)
	}
	defer closeClient(listener)
	speaker, err := c.join(ctx, tokens[1], func(context.Context, client.RoomMessage) {})
	if err != nil {
		return "", fmt.Errorf("second connection: %w", err)
	}
	defer closeClient(speaker)
	began := time.Now()
	if _, err := speaker.Publish(ctx, c.room, "hub check"); err != nil {
		return "", fmt.Errorf("send to room %s: %w", c.room, err)
	}
	select {
	case m := <-heard:
		return fmt.Sprintf("a message from node %s to node %s through room %s was heard after %v",
			speaker.Node(), listener.Node(), m.Room, time.Since(began).Round(time.Microsecond)), nil
	case <-listener.Done():
		return "", fmt.Errorf("first connection: %w", listener.Err())
	case <-ctx.Done():
		return "", fmt.Errorf("nothing was heard in room %s within %v", c.room, c.timeout)
	}
}

// join connects, as often as it takes, and joins the room.
func (c *check) join(ctx context.Context, token string, handler client.Handler) (*client.Client, error) {
	opts := client.Options{RetryDial: true}
	if token != "" {
		opts.Token = client.StaticToken(token)
	}
	conn, err := client.Dial(ctx, c.url, opts)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Join(ctx, c.room, client.JoinOptions{Handler: handler}); err != nil {
		closeClient(conn)
		return nil, fmt.Errorf("join room %s: %w", c.room, err)
	}
	return conn, nil
}

// tokens reads the token of each connection, empty where no file is given.
func (c *check) tokens() ([2]string, error) {
	if c.tokenFile == "" {
		return [2]string{}, nil
	}
	text, err := os.ReadFile(c.tokenFile)
	if err != nil {
		return [2]string{}, fmt.Errorf("read tokens: %w", err)
	}
	lines := strings.Fields(string(text))
	if len(lines) != 2 {
		// With one the second connection would replace the first: an id is
		// connected once.
		return [2]string{}, fmt.Errorf("--token-file: %s has %d tokens: want two, one a line, of two client ids", c.tokenFile, len(lines))
	}
	return [2]string(lines), nil
}

// closeClient says goodbye; a hub that does not answer is not waited for.
func closeClient(c *client.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.Close(ctx)
}
