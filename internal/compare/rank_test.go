package compare

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/perf/benchmath"
)

// The shift is the median of all differences, also with ties, and the k-th difference is the k-th.
func TestShift(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		x, y := make([]float64, 1+rng.IntN(9)), make([]float64, 1+rng.IntN(9))
		for _, v := range [][]float64{x, y} {
			for i := range v {
				v[i] = float64(rng.IntN(6))
				if rng.IntN(2) == 0 {
					v[i] += rng.Float64()
				}
			}
			slices.Sort(v)
		}
		var all []float64
		for _, a := range x {
			for _, b := range y {
				all = append(all, b-a)
			}
		}
		slices.Sort(all)
		n := len(all)
		if got, want := shift(x, y), (all[(n-1)/2]+all[n/2])/2; math.Abs(got-want) > 1e-12 {
			t.Fatalf("shift(%v, %v) = %g, want %g", x, y, got, want)
		}
		if got := shift(y, x); math.Abs(got+shift(x, y)) > 1e-12 {
			t.Fatalf("shift(%v, %v) is not the opposite of the other way", y, x)
		}
		k := rng.IntN(n)
		kth, next := difference(x, y, k)
		if kth != all[k] || k+1 < n && next != all[k+1] {
			t.Fatalf("difference(%v, %v, %d) = %g, %g, want %g of %v", x, y, k, kth, next, all[k], all)
		}
	}
}

// critical and possible agree with the test that decides.
func TestCritical(t *testing.T) {
	for _, n := range [][2]int{{4, 4}, {5, 9}, {10, 10}, {50, 50}, {60, 40}} {
		for _, level := range []float64{0.05, 0.05 / 80} {
			limit := critical(n[0], n[1], level)
			if possible(n[0], n[1], level) != (limit <= n[0]*n[1]) && max(n[0], n[1]) <= 50 {
				t.Errorf("%v at %g: %d of %d pairs, possible %t", n, level, limit, n[0]*n[1],
					possible(n[0], n[1], level))
			}
			for pairs := max(0, limit-2); pairs <= min(limit+1, n[0]*n[1]); pairs++ {
				x, y := ordered(n[0], n[1], pairs)
				p := benchmath.AssumeNothing.Compare(sample(x), sample(y)).P
				if (p <= level) != (pairs >= limit) {
					t.Errorf("%v at %g: %d pairs have p = %g, the limit is %d", n, level, pairs, p, limit)
				}
			}
		}
	}
	for level, want := range map[float64]int{0.05: 4, 0.01: 5, 0.01 / 80: 9} {
		if got := needed(level); got != want || !possible(want, want, level) || possible(want-1, want-1, level) {
			t.Errorf("needed(%g) = %d, want %d", level, got, want)
		}
	}
}

// ordered are values without ties of which so many pairs have y > x.
func ordered(n1, n2, pairs int) (x, y []float64) {
	for i := range n1 {
		x = append(x, float64(i))
	}
	for range n2 {
		above := min(pairs, n1)
		pairs -= above
		y = append(y, float64(above)-0.5+0.001*float64(len(y)))
	}
	return x, y
}

// More runs are needed where runs differ more, and none where the least of them show it.
func TestRunsFor(t *testing.T) {
	level := 0.05 / 10
	runs := func(spread float64) int {
		rng := rand.New(rand.NewPCG(3, 3))
		x, y := make([]float64, 200), make([]float64, 200)
		for i := range x {
			x[i], y[i] = spread*rng.NormFloat64(), spread*rng.NormFloat64()
		}
		slices.Sort(x)
		slices.Sort(y)
		return runsFor(x, y, math.Log(1.05), level)
	}
	// Of normal values the share above a half is d/(2σ√π), so that runs are 2π(zσ/d)²/3.
	const z = 2.807 + 0.842
	for _, spread := range []float64{0.05, 0.1, 0.2} {
		want := 2 * math.Pi / 3 * math.Pow(z*spread/math.Log(1.05), 2)
		if got := float64(runs(spread)); got < 0.8*want || got > 1.25*want {
			t.Errorf("spread %g: %g runs, want about %.0f", spread, got, want)
		}
	}
	if got := runsFor([]float64{0, 9}, []float64{0, 9}, 0, level); got != 0 {
		t.Errorf("no shift: %d runs", got)
	}
}
