// Package hist is a log-linear histogram that lives in a plain array, so that
// several processes can share it: 32 steps for each power of two, 3 % resolution.
package hist

import "math/bits"

const (
	steps   = 32
	maxBits = 40 // values of 2^40 ns (18 minutes) and more fall into the last bucket

	// Size is the number of buckets.
	Size = steps * (maxBits - 4)
)

// Counts holds one counter for each bucket.
type Counts [Size]int64

// Bucket is the index of the bucket that v, at least 0, belongs to.
func Bucket(v int64) int {
	if v < 2*steps {
		return int(max(v, 0))
	}
	e := bits.Len64(uint64(v)) - 6
	return min(steps*e+int(v>>e), Size-1)
}

// Value is the middle of bucket i.
func Value(i int) int64 {
	if i < 2*steps {
		return int64(i)
	}
	e := i/steps - 1
	return int64(i%steps+steps)<<e + int64(1)<<(e-1)
}

// Quantile is the value below which the share q (0 to 1) of the counts lies, 0 when there are none.
func (h *Counts) Quantile(q float64) int64 {
	var total int64
	for _, n := range h {
		total += n
	}
	rank := int64(q * float64(total))
	var seen int64
	for i, n := range h {
		if seen += n; n > 0 && seen > min(rank, total-1) {
			return Value(i)
		}
	}
	return 0
}
