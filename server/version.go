package server

import "runtime/debug"

// modulePath is the module whose version is GoHub's.
const modulePath = "github.com/chenxilol/gohub"

// Version returns GoHub's version as the Go tools recorded it, with which the
// program was built: "v1.2.3", or "(devel)" from a work tree.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	if info.Main.Path == modulePath && info.Main.Version != "" {
		return info.Main.Version
	}
	for _, dep := range info.Deps {
		if dep.Path == modulePath {
			return dep.Version
		}
	}
	return "(devel)"
}
