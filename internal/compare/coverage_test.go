package compare

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/aclements/go-moremath/stats"
)

// kinds of runs, by how their logarithms are spread.
var kinds = map[string]func(rng *rand.Rand) float64{
	"normal":  func(rng *rand.Rand) float64 { return 0.1 * rng.NormFloat64() },
	"skewed":  func(rng *rand.Rand) float64 { return math.Log(1 + 0.1*math.Exp(rng.NormFloat64())) },
	"bimodal": func(rng *rand.Rand) float64 { return 0.02*rng.NormFloat64() + 0.15*float64(rng.IntN(4)/3) },
	"ties":    func(rng *rand.Rand) float64 { return 0.01 * math.Round(3*rng.NormFloat64()) },
}

func draw(rng *rand.Rand, kind string, n int, by float64) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = kinds[kind](rng) + by
	}
	slices.Sort(v)
	return v
}

// percentile and studentized are the intervals that BCa is compared with: plain quantiles of the
// resampled shifts, and the bootstrap-t of the difference of means.
func percentile(x, y []float64) (lo, hi float64) {
	all := shifts(x, y)
	slices.Sort(all)
	return all[resamples*25/1000], all[resamples*975/1000]
}

func studentized(x, y []float64) (lo, hi float64) {
	welch := func(x, y []float64) (d, se float64) {
		a, b := stats.Sample{Xs: x}, stats.Sample{Xs: y}
		return b.Mean() - a.Mean(), math.Sqrt(a.Variance()/float64(len(x)) + b.Variance()/float64(len(y)))
	}
	d, se := welch(x, y)
	rng, all := newRand(), make([]float64, resamples)
	a, b, room := make([]float64, len(x)), make([]float64, len(y)), make([]int, max(len(x), len(y)))
	for i := range all {
		resample(rng, x, a, room[:len(x)])
		resample(rng, y, b, room[:len(y)])
		di, sei := welch(a, b)
		all[i] = (di - d) / max(sei, 1e-9)
	}
	slices.Sort(all)
	return d - se*all[resamples*975/1000], d - se*all[resamples*25/1000]
}

// TestCoverage: how often each interval holds the true shift, and how wide it is on average. BCa holds it
// as often as it says, and is narrower than bootstrap-t where runs are skewed or of two kinds.
func TestCoverage(t *testing.T) {
	const trials = 200
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		for _, n := range []int{8, 20} {
			rng := rand.New(rand.NewPCG(1, uint64(n)))
			methods := []*struct {
				name  string
				of    func(x, y []float64) (lo, hi float64)
				held  int
				width float64
			}{{name: "BCa", of: interval}, {name: "percentile", of: percentile}, {name: "bootstrap-t", of: studentized}}
			for range trials {
				x, y := draw(rng, kind, n, 0), draw(rng, kind, n, 0.1)
				for _, m := range methods {
					lo, hi := m.of(x, y)
					if lo <= 0.1+1e-9 && 0.1 <= hi+1e-9 {
						m.held++
					}
					m.width += (hi - lo) / trials
				}
			}
			for _, m := range methods {
				t.Logf("%-8s %2d runs  %-12s %5.1f %%  width %.4f", kind, n, m.name, 100*float64(m.held)/trials, m.width)
			}
			bca, t2 := methods[0], methods[2]
			if bca.held < trials*93/100 {
				t.Errorf("%s, %d runs: %d of %d", kind, n, bca.held, trials)
			}
			if kind == "skewed" && n == 20 && bca.width > 0.75*t2.width {
				t.Errorf("%s, %d runs: width %g, of bootstrap-t %g", kind, n, bca.width, t2.width)
			}
		}
	}
}
