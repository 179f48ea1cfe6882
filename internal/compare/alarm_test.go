package compare

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// hosts make the factor that all costs of one run share, the state of the machine, and that of each
// cost, as logarithms.
var hosts = map[string]struct{ shared, own func(rng *rand.Rand) float64 }{
	"log-normal": {zero, func(rng *rand.Rand) float64 { return 0.1 * rng.NormFloat64() }},
	"skewed":     {zero, func(rng *rand.Rand) float64 { return math.Log(1 + 0.1*math.Exp(rng.NormFloat64())) }},
	"bimodal": {func(rng *rand.Rand) float64 { return 0.15 * float64(rng.IntN(4)/3) },
		func(rng *rand.Rand) float64 { return 0.02 * rng.NormFloat64() }},
	"ties": {zero, func(rng *rand.Rand) float64 { return 0.01 * math.Round(3*rng.NormFloat64()) }},
}

func zero(*rand.Rand) float64 { return 0 }

// synthetic is a side with so many runs and costs, of which the first is slower by a factor.
func synthetic(rng *rand.Rand, host string, runs, costs int, factor float64) *Side {
	s := &Side{name: host, reports: true}
	for i := range runs {
		r := &run{where: fmt.Sprint(i), values: map[key]value{}}
		shared := hosts[host].shared(rng)
		for j := range costs {
			v := 30_000 * float64(1+j) * math.Exp(shared+hosts[host].own(rng))
			if j == 0 {
				v *= factor
			}
			r.set(key{id: fmt.Sprint("P-", j), phase: "exit", statistic: "p50", unit: "ns"}, value{v, 100})
		}
		s.runs = append(s.runs, r)
	}
	return s
}

// TestFalseAlarms: of 200 comparisons of a host with itself at most 1 % of the costs are shown. Holm's
// correction promises that at most 1 % of the headings claim a change, on average.
func TestFalseAlarms(t *testing.T) {
	const costs = 5
	comparisons := 200
	if testing.Short() { // the race detector makes it many times slower
		comparisons = 20
	}
	for _, runs := range []int{8, 20} {
		shown, headings, names := 0, 0, slices.Sorted(maps.Keys(hosts))
		for i := range comparisons {
			rng := rand.New(rand.NewPCG(uint64(i), uint64(runs)))
			host := names[i%len(names)]
			c := Compare("", synthetic(rng, host, runs, costs, 1), []*Side{synthetic(rng, host, runs, costs, 1)})
			if n := c.New[0].Shown(); n > 0 {
				shown, headings = shown+n, headings+1
			}
			if c.Compared != costs || !c.Conclusive {
				t.Fatalf("%d compared, conclusive %t", c.Compared, c.Conclusive)
			}
		}
		t.Logf("%d runs: %d of %d costs shown, in %d of %d comparisons", runs, shown, comparisons*costs, headings,
			comparisons)
		if shown > comparisons*costs/100 || headings > 2+comparisons/100 { // 1 % on average
			t.Error("too many")
		}
	}
}

// TestPower: a change of twice the stated smallest effect is shown in 95 % of trials, and one of that
// size in about as many as stated. The effect is stated by other runs than those that must show it.
func TestPower(t *testing.T) {
	const costs, runs = 4, 20
	trials := 100
	if testing.Short() {
		trials = 10
	}
	for host := range hosts {
		t.Run(host, func(t *testing.T) {
			found := map[float64]int{}
			floor := 0.0
			for i := range trials {
				rng := rand.New(rand.NewPCG(uint64(i), 5))
				side := func(factor float64) *Side { return synthetic(rng, host, runs, costs, factor) }
				stated := *Compare("", side(1), []*Side{side(1)}).New[0].Costs[0].Smallest
				floor += stated / float64(trials)
				for _, times := range []float64{1, 2} {
					cost := Compare("", side(1), []*Side{side(1 + times*stated)}).New[0].Costs[0]
					if cost.Shown && cost.Change > 0 {
						found[times]++
					}
				}
			}
			t.Logf("stated %.1f %% on average: found %d of %d, twice that %d", 100*floor, found[1], trials, found[2])
			if found[2] < trials*95/100 {
				t.Errorf("twice the stated effect is found in %d of %d", found[2], trials)
			}
			if !testing.Short() && (found[1] < trials*70/100 || found[1] > trials*90/100) { // ± 2.5 standard errors
				t.Errorf("the stated effect is found in %d of %d", found[1], trials)
			}
		})
	}
}
