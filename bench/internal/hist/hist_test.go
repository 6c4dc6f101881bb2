package hist_test

import (
	"testing"

	"github.com/chenxilol/gohub/bench/internal/hist"
)

func TestBucketsCoverEveryValueWithinThreePercent(t *testing.T) {
	last := -1
	for v := int64(0); v < 1<<39; v += 1 + v/97 {
		b := hist.Bucket(v)
		if b < last || b >= hist.Size {
			t.Fatalf("bucket of %d is %d after %d", v, b, last)
		}
		last = b
		if diff := hist.Value(b) - v; diff > v/32+1 || -diff > v/32+1 {
			t.Fatalf("%d came back as %d", v, hist.Value(b))
		}
	}
	if b := hist.Bucket(1 << 62); b != hist.Size-1 {
		t.Fatalf("a huge value fell into bucket %d", b)
	}
}

func TestQuantile(t *testing.T) {
	var h hist.Counts
	if h.Quantile(.5) != 0 {
		t.Fatal("an empty histogram has a median")
	}
	for v := int64(1); v <= 1000; v++ {
		h[hist.Bucket(v)]++
	}
	for _, c := range []struct {
		q    float64
		want int64
	}{{0, 1}, {.5, 500}, {.99, 990}, {1, 1000}} {
		if got := h.Quantile(c.q); got < c.want*97/100 || got > c.want*103/100+1 {
			t.Errorf("quantile %v = %d, want about %d", c.q, got, c.want)
		}
	}
}
