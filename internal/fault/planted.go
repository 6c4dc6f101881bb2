//go:build faults

package fault

import (
	"os"
	"sync"
)

// planted is the name of the fault of this process, read once.
var planted = sync.OnceValue(func() string { return os.Getenv("GOHUB_FAULT") })

// On tells whether the fault of a name is the one that GOHUB_FAULT names. It is
// safe for concurrent use.
func On(name string) bool { return planted() == name }
