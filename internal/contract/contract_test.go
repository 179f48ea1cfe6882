package contract

import (
	"math"
	"testing"

	"github.com/pinwatch/pinwatch/correlate"
)

func cost(id, phase, bound string, ns ...int64) *correlate.Cost {
	c := &correlate.Cost{ID: id, Phase: phase, Bound: bound}
	for _, v := range ns {
		c.Hist.Add(v)
	}
	return c
}

// times gives n samples of v.
func times(n int, v int64) []int64 {
	s := make([]int64, n)
	for i := range s {
		s[i] = v
	}
	return s
}

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		name   string
		cost   *correlate.Cost
		loss   correlate.Loss
		word   Word
		holds  bool
		within float64
	}{
		{name: "in", cost: cost("P-8", "clone_syscall", "", 9_000, 20_000, 20_000, 30_000, 30_000, 80_000), word: In,
			holds: true, within: 4.0 / 6},
		{name: "below", cost: cost("P-8", "clone_syscall", "", times(6, 9_000)...), word: Below, holds: true},
		{name: "above", cost: cost("P-9", "exit", "", times(6, 31_000)...), word: Above, holds: true},
		{name: "same value, other statement", cost: cost("P-8", "clone_syscall", "", times(6, 31_000)...), word: In,
			holds: true, within: 1},
		{name: "both ends belong", cost: cost("P-9", "exit", "", 10_000, 10_000, 10_000, 30_000, 30_000, 30_000),
			word: In, holds: true, within: 1},
		{name: "five are too few", cost: cost("P-9", "exit", "", times(5, 20_000)...), word: TooFew, within: 1},
		{name: "none", cost: cost("P-9", "exit", ""), word: TooFew},
		{name: "lossy in", cost: cost("P-9", "exit", "", times(9, 20_000)...),
			loss: correlate.Loss{ByKind: map[string]uint64{"exit": 1}}, word: In, within: 1},
		{name: "late", cost: cost("P-9", "exit", "", times(9, 20_000)...), loss: correlate.Loss{Late: 1}, word: In,
			within: 1},
		{name: "missed runs", cost: cost("P-9", "exit", "", times(9, 99_000)...),
			loss: skipped("sched_switch", 1), word: Above},
		{name: "skipped runs that can't change it", cost: cost("P-9", "exit", "", times(9, 99_000)...),
			loss: skipped("sys_enter_exit", 8), word: Above, holds: true},
		{name: "as many skipped runs as samples", cost: cost("P-9", "exit", "", times(9, 99_000)...),
			loss: skipped("sys_enter_exit", 9), word: Above},
		{name: "skipped runs that could move the median",
			cost: cost("P-9", "exit", "", append(times(5, 20_000), times(4, 99_000)...)...),
			loss: skipped("sys_enter_exit", 2), word: In, within: 5.0 / 9},
		{name: "skipped runs that another cost needs", cost: cost("P-8", "clone_syscall", "", times(6, 31_000)...),
			loss: skipped("sys_enter_exit", 99), word: In, holds: true, within: 1},
		{name: "skipped runs that nothing lacks", cost: cost("P-8", "clone_syscall", "", times(6, 31_000)...),
			loss: skipped("task_newtask", 99), word: In, holds: true, within: 1},
		{name: "broken links alone", cost: cost("P-9", "exit", "", times(9, 1_000)...),
			loss: correlate.Loss{BrokenLinks: 1}, word: Below, holds: true},
		{name: "a lower bound inside proves nothing", cost: cost("P-5", "kernel", "lower", times(6, 2_000)...),
			word: In, within: 1},
		{name: "a lower bound above proves above", cost: cost("P-5", "kernel", "lower", times(6, 4_000)...),
			word: Above, holds: true},
		{name: "an upper bound below proves below", cost: cost("P-5", "kernel", "upper", times(6, 900)...), word: Below,
			holds: true},
		{name: "an upper bound above proves nothing", cost: cost("P-5", "kernel", "upper", times(6, 4_000)...),
			word: Above},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, ok := Judge(tt.cost, tt.loss)
			if !ok {
				t.Fatal("not judged")
			}
			if v.Word != tt.word || v.Holds() != tt.holds || math.Abs(v.Within-tt.within) > 1e-9 {
				t.Errorf("got %s, holds %t, within %.3f; want %s, %t, %.3f", v.Word, v.Holds(), v.Within, tt.word,
					tt.holds, tt.within)
			}
			if v.N != tt.cost.Hist.N() || v.Median != tt.cost.Hist.Quantile(0.5) {
				t.Errorf("n %d, median %d are not the cost's", v.N, v.Median)
			}
		})
	}
}

func TestNothingClaimed(t *testing.T) {
	for _, c := range []*correlate.Cost{cost("P-8", "spawn", "", 1), cost("P-8", "exit", "", 1),
		cost("X-handoff", "handoff", "", 1)} {
		if v, ok := Judge(c, correlate.Loss{}); ok {
			t.Errorf("%s %s judged: %+v", c.ID, c.Phase, v)
		}
	}
}

func TestBetween(t *testing.T) {
	at := func(bound string, n int, ns int64) Verdict {
		v, _ := Judge(cost("P-5", "kernel", bound, times(n, ns)...), correlate.Loss{})
		return v
	}
	for _, tt := range []struct {
		lower, upper int64
		want         Word
	}{
		{500, 900, Below}, {500, 2_000, Open}, {500, 9_000, Open},
		{2_000, 2_500, In}, {2_000, 9_000, Open}, {4_000, 9_000, Above},
	} {
		v := Between(at("lower", 6, tt.lower), at("upper", 7, tt.upper))
		if v.Word != tt.want || v.Bound != "" || v.N != 7 {
			t.Errorf("between %d and %d ns: %s over %d samples, bound %q; want %s over 7", tt.lower, tt.upper, v.Word,
				v.N, v.Bound, tt.want)
		}
		if v.Holds() != (tt.want != Open) {
			t.Errorf("between %d and %d ns: %s holds = %t", tt.lower, tt.upper, v.Word, v.Holds())
		}
	}
	if v := Between(at("lower", 9, 2_000), at("upper", 5, 2_000)); v.Word != TooFew || v.Holds() {
		t.Errorf("five samples of the upper bound: %s, holds %t", v.Word, v.Holds())
	}
	lossy := at("lower", 9, 2_000)
	lossy.Lossy = true
	if v := Between(lossy, at("upper", 9, 2_000)); v.Word != In || v.Holds() {
		t.Errorf("one lossy bound: %s, holds %t; want in, false", v.Word, v.Holds())
	}
}

func skipped(hook string, n uint64) correlate.Loss {
	return correlate.Loss{Skipped: map[string]uint64{hook: n}}
}
