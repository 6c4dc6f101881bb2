package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/chenxilol/gohub/pkg/config"
)

const helpHead = `Usage:
  hub [flags]                 run a hub until SIGTERM or SIGINT
  hub token [flags]           print a token for development (hub token --help)
  hub check --url URL         send a message through a hub and hear it (hub check --help)

A setting is taken from its flag, else from its GOHUB_* variable, else from the
YAML file, else it is the default. docs/configuration.md explains them all.

Secrets given as flags show in ps to everybody on the machine: use the variable
instead, or the variable with _FILE behind its name for a file that holds it.

Exit codes: 0 after a drain, 1 on errors, 2 for a wrong command line.

Command:
  --config FILE
        YAML file with the settings.
        GOHUB_CONFIG
  --page
        Serve a page to try the hub, at /.
  --check-config
        Say what is wrong with the settings, one problem a line, and exit.
  --print-config
        Print the settings in force as YAML, without secrets, and exit.
  --version
        Print the version, and exit.
`

// section is a heading of the help, and the name in YAML of the first key
// below it.
type section struct{ title, first string }

// sections are the headings of config.Config.
func sections() []section {
	return []section{
		{"Addresses and endpoints", "address"},
		{"Authentication", "enableAuth"},
		{"Client ids", "enableQueryClientID"},
		{"Connections", "engine"},
		{"Limits", "rateLimit"},
		{"Rooms", "maxRooms"},
		{"Cluster", "enableCluster"},
		{"Lifecycle", "drain"},
	}
}

func writeHelp(w io.Writer) {
	fmt.Fprint(w, helpHead)
	todo := sections()
	for _, k := range config.Keys() {
		name, _, _ := strings.Cut(k.Path, ".")
		if len(todo) > 0 && todo[0].first == name {
			fmt.Fprintf(w, "\n%s:\n", todo[0].title)
			todo = todo[1:]
		}
		if k.Flag != "" {
			fmt.Fprintf(w, "  --%s%s\n        %s\n        %s\n", k.Flag, argument(k), k.Summary(), details(k))
		}
	}
}

// argument shows what follows a flag. A switch takes its value only behind an
// equals sign: after a space it would be an argument of its own.
func argument(k config.Key) string {
	if isSwitch(k) {
		return "[=false]"
	}
	return " " + strings.ToUpper(strings.ReplaceAll(k.Type, " ", "-"))
}

// details names a key's variable and values.
func details(k config.Key) string {
	parts := []string{k.Env}
	if k.Secret {
		parts = append(parts, fmt.Sprintf("secret: better %s than the flag", k.FileEnv))
	}
	if len(k.Allowed) > 0 {
		parts = append(parts, "one of "+strings.Join(k.Allowed, ", "))
	}
	if k.Default != "" {
		parts = append(parts, "default "+k.Default)
	}
	if k.Negative != "" {
		parts = append(parts, "negative: "+k.Negative)
	}
	return strings.Join(parts, "; ")
}
