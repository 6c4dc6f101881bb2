package hub

import (
	"fmt"
	"testing"
	"time"
)

// TestSlots checks that clients leave evenly over the window, a few at a time.
func TestSlots(t *testing.T) {
	for _, n := range []int{1, 2, 7, 99, 1000, 123457} {
		for _, window := range []time.Duration{0, time.Millisecond, time.Second, 30 * time.Second, time.Hour} {
			t.Run(fmt.Sprint(n, " in ", window), func(t *testing.T) {
				plan := slots(n, window)
				const step = 10 * time.Millisecond
				perSlot := map[time.Duration]int{}
				for i := range n {
					at := plan(i)
					even := window * time.Duration(i) / time.Duration(n)
					if at > even || even-at > step+1 {
						t.Fatalf("client %d leaves at %v, evenly it would be %v", i, at, even)
					}
					if at < 0 || at > window || at%step != 0 || i > 0 && at < plan(i-1) {
						t.Fatalf("client %d leaves at %v", i, at)
					}
					perSlot[at]++
				}
				most := n
				if window >= step {
					most = int(float64(n)*float64(step)/float64(window)) + 1
				}
				for at, got := range perSlot {
					if got > most {
						t.Fatalf("%d clients leave at %v, want %d at most", got, at, most)
					}
				}
			})
		}
	}
}
