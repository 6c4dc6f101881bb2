package cluster

import (
	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/hub"
)

// around is the most that goes over the bus with a message besides its content:
// the names of its room and its sender, of 512 bytes each, as they are and as
// JSON may write them.
const around = 8 << 10

// MaxMessage is the size, in bytes, of the largest message that a bus carries for
// sure, whatever the names of its room and its sender.
func MaxMessage(b bus.Bus) int { return b.MaxPayload() - around }

// MaxMessage is that of this node's bus. It may change with a reconnect.
func (c *Cluster) MaxMessage() int { return MaxMessage(c.bus) }

// fits returns a *hub.Error for a question or an answer that the bus does not
// carry.
func (c *Cluster) fits(w writer) error {
	if most := c.bus.MaxPayload(); len(w) > most {
		return hub.NewError(hub.CodeTooLarge, "%d bytes are more than the bus carries to another hub (%d)", len(w), most)
	}
	return nil
}
