package compare

import (
	"math"
	"slices"

	"github.com/aclements/go-moremath/stats"
)

// All functions here take the logarithms of one value per run, in ascending order. A difference of
// logarithms is the logarithm of a ratio.

// atMost counts the pairs with y−x ≤ d, and finds the largest of these differences and the smallest
// of the others.
func atMost(x, y []float64, d float64) (n int, below, above float64) {
	below, above = math.Inf(-1), math.Inf(1)
	j := 0
	for _, a := range x { // y[:j] is near enough to a, and so to every later one
		for j < len(y) && y[j]-a <= d {
			j++
		}
		n += j
		if j > 0 && y[j-1]-a > below {
			below = y[j-1] - a
		}
		if j < len(y) && y[j]-a < above {
			above = y[j] - a
		}
	}
	return n, below, above
}

// difference is the k-th smallest of all y−x, from 0, and the one after it. It interpolates and halves
// in turn: counts are nearly even around the middle.
func difference(x, y []float64, k int) (kth, next float64) {
	lo, hi := y[0]-x[len(x)-1], y[len(y)-1]-x[0]
	under, upTo := 0, len(x)*len(y) // pairs below lo, and up to hi
	for i := 0; lo < hi; i++ {
		part := 0.5
		if i%3 != 2 {
			part = (float64(k-under) + 0.5) / float64(upTo-under)
		}
		mid := lo + (hi-lo)*part
		if mid >= hi { // rounded
			mid = lo
		}
		n, below, above := atMost(x, y, mid)
		switch {
		case n <= k:
			lo, under = above, n
		case n == k+1:
			return below, above
		default:
			hi, upTo = below, n
		}
	}
	if n, _, above := atMost(x, y, hi); n == k+1 {
		return hi, above
	}
	return hi, hi
}

// shift is the median of all y−x: the estimate of Hodges and Lehmann, which the rank test is the test
// of.
func shift(x, y []float64) float64 {
	n := len(x) * len(y)
	lower, upper := difference(x, y, (n-1)/2)
	if n%2 == 1 {
		return lower
	}
	return lower/2 + upper/2
}

// critical is the least number of pairs with y > x at which the rank test has p ≤ alpha, without ties.
// It is more than the number of pairs where no values can show anything.
func critical(n1, n2 int, alpha float64) int {
	pairs := n1 * n2
	dist := stats.UDist{N1: n1, N2: n2}
	upTo := dist.CDF
	if n1 > stats.MannWhitneyExactLimit || n2 > stats.MannWhitneyExactLimit { // as the test
		normal := stats.NormalDist{Mu: float64(pairs) / 2, Sigma: math.Sqrt(float64(pairs) * float64(n1+n2+1) / 12)}
		upTo = func(u float64) float64 { return normal.CDF(u + 0.5) }
	}
	most := 0 // least number of pairs that is too many, of the lower tail, which is like the upper
	for hi := pairs; most < hi; {
		mid := (most + hi) / 2
		if 2*upTo(float64(mid)) <= alpha {
			most = mid + 1
		} else {
			hi = mid
		}
	}
	return pairs - most + 1
}

// needed is the least number of runs of each side with which the rank test can reach alpha.
func needed(alpha float64) int {
	n, choose := 1, 2.0 // (2n choose n) orders are equally likely
	for 2/choose > alpha {
		n++
		choose *= float64(2*(2*n-1)) / float64(n)
	}
	return n
}

// possible reports whether so many runs can reach alpha at all.
func possible(n1, n2 int, alpha float64) bool {
	choose := 1.0
	for i := 1; i <= min(n1, n2); i++ {
		choose *= float64(n1+n2-i+1) / float64(i)
	}
	return 2/choose <= alpha
}

// logs are the logarithms in ascending order. All values are above 0.
func logs(values []float64) []float64 {
	l := make([]float64, len(values))
	for i, v := range values {
		l[i] = math.Log(v)
	}
	slices.Sort(l)
	return l
}
