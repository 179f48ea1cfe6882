package compare

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkMeasure is the time of the statistics of 100 costs of two sides with 100 runs each.
func BenchmarkMeasure(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	x, y := synthetic(rng, "skewed", 100, 100, 1), synthetic(rng, "skewed", 100, 100, 1.1)
	for b.Loop() {
		Compare("", x, []*Side{y})
	}
}
