package cluster

import "context"

// answerDefine takes definitions that another node tells of.
func (c *Cluster) answerDefine(_ context.Context, _ uint64, text []byte) ([]byte, error) {
	c.takeDefinitions(text)
	return nil, nil
}

func (c *Cluster) takeDefinitions(text []byte) {
	r := reader{b: text}
	for len(r.b) > 0 {
		x := r.definition()
		if r.bad {
			return
		}
		if c.defined.merge(x, c.cfg.Now()) {
			c.apply(x)
		}
	}
}

// apply has the host do what a definition says.
func (c *Cluster) apply(x definition) {
	if x.deleted {
		c.cfg.Host.Undefine(x.Room)
	} else {
		c.cfg.Host.Define(x.Definition)
	}
}

// learn asks a node for its definitions when heartbeats show, twice in a row,
// that they are not the same as here.
func (c *Cluster) learn(from uint64, theirs digestOfDefinitions) {
	d := &c.defined
	d.mu.Lock()
	if d.live == theirs {
		delete(d.behind, from)
	} else {
		d.behind[from]++
	}
	ask := d.behind[from] == 2
	if ask {
		d.behind[from] = 0
	}
	d.mu.Unlock()
	if ask {
		c.spawn(func() { c.pull(c.ctx, from) })
	}
}

// pull takes over all that a node knows.
func (c *Cluster) pull(ctx context.Context, from uint64) bool {
	for after := ""; ; {
		ctx, cancel := context.WithTimeout(ctx, answerWithin)
		answer, err := c.Ask(ctx, from, "defined", text(after))
		cancel()
		if err != nil {
			return false
		}
		r := reader{b: answer}
		after = r.string()
		c.takeDefinitions(r.rest())
		if after == "" {
			return true
		}
	}
}

// catchUp takes over what some node knows that has been here longer. It is not
// done where there is such a node and none has answered.
func (c *Cluster) catchUp(ctx context.Context) (done bool) {
	live, _ := c.nodes.others()
	ready := false
	for _, n := range live {
		ready = ready || n.Ready
		if n.Ready && c.pull(ctx, n.Boot) {
			return true
		}
	}
	return !ready
}

// definitionBytes bounds the definitions in one answer.
const definitionBytes = 256 << 10

// answerDefined answers with the definitions behind a room's name: that of the
// last one, "" where there are no more, and the definitions.
func (c *Cluster) answerDefined(_ context.Context, _ uint64, question []byte) ([]byte, error) {
	r := reader{b: question}
	after := r.string()
	if r.bad {
		return nil, errMalformed
	}
	list, last := c.defined.page(after)
	return append(text(last), list...), nil
}
