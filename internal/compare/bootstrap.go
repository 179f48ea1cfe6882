package compare

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/aclements/go-moremath/stats"
)

const (
	confidence = 0.95
	resamples  = 1000 // for an interval
	tries      = 300  // for the smallest effect
	power      = 0.8  // with which the smallest effect is found
	// atPower is the quantile that gives that power on average: a power that few runs state is too high as
	// often as too low, and loses more when it is too high (TestPower).
	atPower = 0.86
	seed    = 19 // of every resampling: the same runs give the same numbers
)

func newRand() *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }

// resample draws len(to) values with replacement, in ascending order. Room is for len(from) counts.
func resample(rng *rand.Rand, from, to []float64, room []int) {
	clear(room)
	for range to {
		room[rng.IntN(len(from))]++
	}
	to = to[:0]
	for i, n := range room {
		for range n {
			to = append(to, from[i])
		}
	}
}

// interval is the confidence interval of the shift by a bootstrap over runs, bias-corrected and
// accelerated (Efron 1987, BCa), and wider for few runs, whose scatter a bootstrap takes for too small
// (Hesterberg 2015: the quantile of Student's distribution, times √(n/(n−1))). TestCoverage compares it
// with others.
func interval(x, y []float64) (lo, hi float64) {
	estimate, all := shift(x, y), shifts(x, y)
	slices.Sort(all)
	low, high := 0, 0 // how many are below, and not above
	for _, v := range all {
		if v < estimate {
			low++
		}
		if v <= estimate {
			high++
		}
	}
	normal := stats.StdNormal
	share := (float64(low+high) + 1) / float64(2*len(all)+2) // never 0 or 1
	bias, skew := normal.InvCDF(share), acceleration(x, y)
	student := stats.InvCDF(stats.TDist{V: float64(len(x) + len(y) - 2)})
	n := float64(min(len(x), len(y)))
	at := func(q float64) float64 {
		z := bias + math.Sqrt(n/(n-1))*student(q)
		rank := normal.CDF(bias+z/(1-skew*z)) * float64(len(all)+1)
		return all[min(max(int(math.Round(rank))-1, 0), len(all)-1)]
	}
	tail := (1 - confidence) / 2
	return min(at(tail), estimate), max(at(1-tail), estimate)
}

// shifts are those of the resamples.
func shifts(x, y []float64) []float64 {
	rng, all := newRand(), make([]float64, resamples)
	a, b, room := make([]float64, len(x)), make([]float64, len(y)), make([]int, max(len(x), len(y)))
	for i := range all {
		resample(rng, x, a, room[:len(x)])
		resample(rng, y, b, room[:len(y)])
		all[i] = shift(a, b)
	}
	return all
}

// acceleration is how fast the estimate's error grows with the estimate, by the jackknife over the
// runs of both sides.
func acceleration(x, y []float64) float64 {
	var squares, cubes float64
	add := func(from []float64, of func(without []float64) float64) {
		left, all, mean := make([]float64, len(from)-1), make([]float64, len(from)), 0.0
		for i := range from {
			copy(left, from[:i])
			copy(left[i:], from[i+1:])
			all[i] = of(left)
			mean += all[i] / float64(len(from))
		}
		for _, v := range all {
			d := (mean - v) / float64(len(from))
			squares, cubes = squares+d*d, cubes+d*d*d
		}
	}
	add(x, func(without []float64) float64 { return shift(without, y) })
	add(y, func(without []float64) float64 { return shift(x, without) })
	if squares == 0 {
		return 0
	}
	return cubes / (6 * math.Pow(squares, 1.5))
}

// smallest is the shift that as many other runs would show with the given power: the quantile atPower
// of what each of some resamples without a difference would need, until pairs of its pairs are above. A
// resample is drawn from a resample of all runs, because these are not all that the machine does.
// Infinite where nothing would do.
func smallest(x, y []float64, pairs int) float64 {
	if pairs > len(x)*len(y) {
		return math.Inf(1)
	}
	pool := pooled(x, y)
	rng, all := newRand(), make([]float64, tries)
	a, b, room := make([]float64, len(x)), make([]float64, len(y)), make([]int, len(pool))
	others := make([]float64, len(pool))
	for i := range all {
		resample(rng, pool, others, room)
		resample(rng, others, a, room)
		resample(rng, others, b, room)
		d, _ := difference(b, a, pairs-1) // the most of the differences to overcome
		all[i] = max(d, 0)
	}
	slices.Sort(all)
	return all[int(atPower*tries)]
}

// pooled are the values of both sides without the difference between them.
func pooled(x, y []float64) []float64 {
	between, pool := shift(x, y), slices.Clone(x)
	for _, v := range y {
		pool = append(pool, v-between)
	}
	slices.Sort(pool)
	return pool
}

// runsFor is how many runs of each side show a shift with the given power (Noether 1987, for the rank
// test, from the share of pairs that the shift puts into order). 0 = not known: no two runs are as near
// to each other.
func runsFor(x, y []float64, by, level float64) int {
	const most = 1e6
	pool := pooled(x, y)
	n := len(pool)
	above, _, _ := atMost(pool, pool, by)                // pairs that the shift puts into order, or finds in it
	below, _, _ := atMost(pool, pool, -by)               // pairs that it leaves in the wrong order
	share := float64(above-below-n) / float64(2*n*(n-1)) // above a half; a run is no pair with itself
	if share <= 0 {
		return 0
	}
	z := stats.StdNormal.InvCDF(1-level/2) + stats.StdNormal.InvCDF(power)
	return int(min(math.Ceil(z*z/(6*share*share)), most))
}
