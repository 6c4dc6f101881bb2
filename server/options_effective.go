package server

import (
	"fmt"

	"github.com/chenxilol/gohub/pkg/config"
)

// Validate reports every value that is out of bounds and every contradiction
// between fields, joined into one error; each part is a [config.FieldError]
// that names the key as written in YAML. [NewServer] calls it.
func (o *Options) Validate() error {
	c := o.Config()
	if o != nil && o.OpenBus != nil && c.BusType == "" {
		c.BusType = "embedded" // stands for it: any bus will do
	}
	if err := c.Validate(); err != nil {
		return fmt.Errorf("invalid options: %w", err)
	}
	return nil
}

// withDefaults returns a copy of o, which may be nil, with every zero replaced
// by its default and every negative that means off or unlimited written as -1:
// a limit binds, and a timer runs, exactly when it is above zero. The configs
// of the buses are set.
func (o *Options) withDefaults() Options {
	effective := *OptionsFromConfig(o.Config().Effective())
	if effective.MaxConnections == 0 {
		effective.MaxConnections = connectionsWithin(descriptorLimit())
	}
	if o != nil {
		effective.Logger = o.Logger
		effective.Registerer = o.Registerer
		effective.OpenBus = o.OpenBus
	}
	return effective
}

// connectionsWithin returns the connections a process with this descriptor
// limit can hold while it keeps some for files, the bus and HTTP; -1 where the
// system sets no limit. Where the limit is tiny half of it is kept.
func connectionsWithin(limit uint64) int {
	const most = 1 << 30 // no system holds more descriptors, but some say infinity
	switch {
	case limit == 0 || limit > most:
		return -1
	case limit < 2*config.DescriptorReserve:
		return max(int(limit/2), 1)
	default:
		return int(limit) - config.DescriptorReserve
	}
}
