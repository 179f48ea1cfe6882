package observe

import (
	"testing"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/loader"
)

// TestBias: the bias is the mean over the samples of what the programs inside them take. It is nil
// where one of those is not known.
func TestBias(t *testing.T) {
	known := func(ns float64) *float64 { return &ns }
	timings := []loader.ProgramTime{
		{Name: "a", N: 9, NS: 100, DispatchNS: known(20)},
		{Name: "b", N: 9, NS: 7, DispatchNS: known(8)},
		{Name: "idle", DispatchNS: known(8)},
		{Name: "off"},
	}
	type runs = correlate.RunsByProgram
	both := runs{"a": {Bodies: 8, Halves: 16}, "b": {Bodies: 4, Halves: 4}}
	for name, tt := range map[string]struct {
		runs    runs
		timings []loader.ProgramTime
		n       int
		want    *float64
	}{
		"sum over programs":             {both, timings, 4, known(251)},
		"no run":                        {runs{}, timings, 4, known(0)},
		"runs not counted":              {nil, timings, 4, nil},
		"not calibrated":                {runs{"a": {Bodies: 8}}, nil, 4, nil},
		"program not known":             {runs{"a": {Bodies: 8}, "c": {Bodies: 1}}, timings, 4, nil},
		"program never timed":           {runs{"idle": {Bodies: 1, Halves: 2}}, timings, 4, nil},
		"never timed, but only entered": {runs{"a": {Bodies: 4}, "idle": {Halves: 4}}, timings, 4, known(104)},
		"not attached":                  {runs{"a": {Bodies: 4}, "off": {Halves: 4}}, timings, 4, nil},
		"no sample":                     {runs{"a": {Bodies: 8}}, timings, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			costs := []correlate.Cost{{Overhead: tt.runs}}
			for range tt.n {
				costs[0].Hist.Add(1000)
			}
			setBias(costs, tt.timings)
			got := costs[0].Bias
			if (got == nil) != (tt.want == nil) || got != nil && *got != *tt.want {
				t.Errorf("got %v, want %v", worth(got), worth(tt.want))
			}
		})
	}
}

func worth(v *float64) any {
	if v == nil {
		return "nil"
	}
	return *v
}
