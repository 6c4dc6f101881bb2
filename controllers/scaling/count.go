package scaling

import "slices"

// count is what the pods say of their connections.
type count struct {
	total    int64 // connections of those that answered, terminating ones included
	answered int   // pods that stay
	silent   int   // pods that stay, whose hub runs and gave no answer
}

func countConnections(pods []Pod) count {
	var c count
	for _, p := range pods {
		switch {
		case p.Reading != nil:
			c.total += int64(p.Reading.Connections)
			if !p.Terminating {
				c.answered++
			}
		case p.Running && !p.Terminating:
			c.silent++
		}
	}
	return c
}

// mean returns the connections of a pod that answered.
func (c count) mean() int64 {
	if c.answered == 0 {
		return 0
	}
	return c.total / int64(c.answered)
}

// Connections returns the connections of the pods that answered; ok is false
// where none did.
func Connections(pods []Pod) (total int64, ok bool) {
	ok = slices.ContainsFunc(pods, func(p Pod) bool { return p.Reading != nil })
	return countConnections(pods).total, ok
}
