package cluster

import (
	"time"

	"github.com/chenxilol/gohub/internal/fault"
)

// misdeliver is where faults of delivery are planted. It tells whether it has
// taken the message; without a fault it does nothing.
func (c *Cluster) misdeliver(m Message, seq uint64) (taken bool) {
	switch {
	case fault.On("wrong-order") && seq%2 > 0:
		time.AfterFunc(100*time.Millisecond, func() { c.cfg.Host.Message(m) })
		return true
	case fault.On("double-delivery") && seq%8 == 0:
		c.cfg.Host.Message(m)
	case fault.On("unencoded-name"):
		c.cfg.Host.Message(Message{From: m.From, Room: ">", Frame: m.Frame}) // hears all, where names are patterns
	}
	return false
}
