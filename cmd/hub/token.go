package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/chenxilol/gohub/pkg/auth"
)

// claimFlag collects --claim name=value.
type claimFlag map[string]any

func (c claimFlag) String() string { return "" }

func (c claimFlag) Set(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return errors.New("want name=value")
	}
	c[name] = value
	return nil
}

// tokenRequest is what the command line of hub token says.
type tokenRequest struct {
	issuer  auth.IssuerConfig
	keyFile string
	claims  auth.TokenClaims
	ttl     time.Duration
}

// runToken prints a signed token.
func runToken(args, environ []string, stdout, stderr io.Writer) int {
	env := newVariables(environ)
	r, err := parseToken(args, env, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "hub token: %v (see hub token --help)\n", err)
		return exitUsage
	}
	token, err := r.issue(env)
	if err != nil {
		fmt.Fprintf(stderr, "hub token: %v\n", err)
		return exitError
	}
	fmt.Fprintln(stdout, token)
	return exitOK
}

// parseToken reads the command line. For --help it writes the usage to stdout
// and returns flag.ErrHelp.
func parseToken(args []string, env variables, stdout io.Writer) (*tokenRequest, error) {
	r := &tokenRequest{}
	extra := claimFlag{}
	f := flag.NewFlagSet("hub token", flag.ContinueOnError)
	f.StringVar(&r.issuer.SecretKey, "secret", "", "`secret` to sign with; better GOHUB_JWT_SECRET_KEY or GOHUB_JWT_SECRET_KEY_FILE, which others on the machine cannot see")
	f.StringVar(&r.keyFile, "private-key-file", "", "PEM `file` with a private key to sign with instead")
	f.StringVar(&r.issuer.KeyID, "key-id", "", "the header's kid")
	f.StringVar(&r.issuer.Algorithm, "algorithm", env["GOHUB_JWT_ALGORITHM"], "such as HS256 (the default for secrets) or ES256")
	f.StringVar(&r.issuer.Issuer, "issuer", env["GOHUB_JWT_ISSUER"], "the iss claim")
	f.StringVar(&r.issuer.Audience, "audience", env["GOHUB_JWT_AUDIENCE"], "the aud claim")
	f.StringVar(&r.issuer.SubjectClaim, "subject-claim", env["GOHUB_JWT_SUBJECT_CLAIM"], "the claim for the client id, if not sub")
	f.StringVar(&r.claims.Subject, "sub", "", "the client `id` (required)")
	f.StringVar(&r.claims.UserID, "user-id", "", "the user_id claim")
	f.StringVar(&r.claims.Username, "username", "", "the username claim")
	permissions := f.String("permissions", "", "comma separated `list`, such as join:room,send:message:chat.*")
	f.DurationVar(&r.ttl, "ttl", time.Hour, "how long it is valid; 0 for ever")
	f.Var(extra, "claim", "further claim as `name=value`; repeatable")
	if err := parseCommand(f, args, "Usage: hub token --sub ID [flags]\n", stdout); err != nil {
		return nil, err
	}
	if r.claims.Subject == "" {
		return nil, errors.New("--sub is required")
	}
	if len(extra) > 0 {
		r.claims.Extra = extra
	}
	var err error
	if r.claims.Permissions, err = parsePermissions(*permissions); err != nil {
		return nil, fmt.Errorf("--permissions: %w", err)
	}
	return r, nil
}

// parsePermissions reads a list separated by commas or spaces.
func parsePermissions(list string) ([]auth.Permission, error) {
	var permissions []auth.Permission
	for _, text := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		p, err := auth.ParsePermission(text)
		if err != nil {
			return nil, err
		}
		permissions = append(permissions, p)
	}
	return permissions, nil
}

// issue signs the token.
func (r *tokenRequest) issue(env variables) (string, error) {
	if err := readKeys(&r.issuer, r.keyFile, env); err != nil {
		return "", err
	}
	issuer, err := auth.NewIssuer(r.issuer)
	if err != nil {
		return "", err
	}
	return issuer.Issue(r.claims, r.ttl)
}

// readKeys finds the key to sign with: a flag, a file, or the environment that
// a hub with the same secret has.
func readKeys(cfg *auth.IssuerConfig, keyFile string, env variables) error {
	if keyFile != "" {
		pem, err := os.ReadFile(keyFile)
		if err != nil {
			return fmt.Errorf("read private key: %w", err)
		}
		cfg.PrivateKey = string(pem)
		return nil
	}
	if cfg.SecretKey == "" {
		cfg.SecretKey = env["GOHUB_JWT_SECRET_KEY"]
	}
	if file := env["GOHUB_JWT_SECRET_KEY_FILE"]; cfg.SecretKey == "" && file != "" {
		secret, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read secret: %w", err)
		}
		cfg.SecretKey = strings.TrimRight(string(secret), "\r\n")
	}
	return nil
}
