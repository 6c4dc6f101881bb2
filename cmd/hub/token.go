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

// runToken prints a signed token.
func runToken(args, environ []string, stdout, stderr io.Writer) int {
	env := newVariables(environ)
	var cfg auth.IssuerConfig
	var claims auth.TokenClaims
	extra := claimFlag{}
	f := flag.NewFlagSet("hub token", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&cfg.SecretKey, "secret", "", "`secret` to sign with; better GOHUB_JWT_SECRET_KEY or GOHUB_JWT_SECRET_KEY_FILE, which others on the machine cannot see")
	keyFile := f.String("private-key-file", "", "PEM `file` with a private key to sign with instead")
	f.StringVar(&cfg.KeyID, "key-id", "", "the header's kid")
	f.StringVar(&cfg.Algorithm, "algorithm", env["GOHUB_JWT_ALGORITHM"], "such as HS256 (the default for secrets) or ES256")
	f.StringVar(&cfg.Issuer, "issuer", env["GOHUB_JWT_ISSUER"], "the iss claim")
	f.StringVar(&cfg.Audience, "audience", env["GOHUB_JWT_AUDIENCE"], "the aud claim")
	f.StringVar(&cfg.SubjectClaim, "subject-claim", env["GOHUB_JWT_SUBJECT_CLAIM"], "the claim for the client id, if not sub")
	f.StringVar(&claims.Subject, "sub", "", "the client `id` (required)")
	f.StringVar(&claims.UserID, "user-id", "", "the user_id claim")
	f.StringVar(&claims.Username, "username", "", "the username claim")
	permissions := f.String("permissions", "", "comma separated `list`, such as join:room,send:message:chat.*")
	ttl := f.Duration("ttl", time.Hour, "how long it is valid; 0 for ever")
	f.Var(extra, "claim", "further claim as `name=value`; repeatable")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return exitOK
		}
		return exitUsage
	}
	fail := func(code int, err error) int {
		fmt.Fprintf(stderr, "hub token: %v\n", err)
		return code
	}
	if f.NArg() > 0 {
		return fail(exitUsage, fmt.Errorf("unexpected argument %q", f.Arg(0)))
	}
	if claims.Subject == "" {
		return fail(exitUsage, errors.New("--sub is required"))
	}
	if err := readKeys(&cfg, *keyFile, env); err != nil {
		return fail(exitError, err)
	}
	for _, p := range strings.FieldsFunc(*permissions, func(r rune) bool { return r == ',' || r == ' ' }) {
		permission, err := auth.ParsePermission(p)
		if err != nil {
			return fail(exitUsage, fmt.Errorf("--permissions: %w", err))
		}
		claims.Permissions = append(claims.Permissions, permission)
	}
	if len(extra) > 0 {
		claims.Extra = extra
	}
	issuer, err := auth.NewIssuer(cfg)
	if err != nil {
		return fail(exitError, err)
	}
	token, err := issuer.Issue(claims, *ttl)
	if err != nil {
		return fail(exitError, err)
	}
	fmt.Fprintln(stdout, token)
	return exitOK
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
