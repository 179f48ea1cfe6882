package verify

import (
	"errors"
	"testing"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

// A stop is a try if 10 ms of the loop were left, without the waits of the loop and of the stopping
// goroutine for a CPU. Whether it was late does not matter.
func TestTries(t *testing.T) {
	const unit = 2e6 // ns
	for _, tt := range []struct {
		what               string
		from, to           int64 // of the stop; the chunk is from 0 to 20 units
		waitStop, waitLoop int64
		want               tries
	}{
		{"in time", 2 * unit, 3 * unit, 0, 0, tries{tried: 1, interrupted: 1}},
		{"late, without waits for a CPU", 2 * unit, 21 * unit, 0, 0, tries{tried: 1}},
		{"late, with waits that are too short to explain it", 2 * unit, 21 * unit, 6 * unit, 6 * unit, tries{tried: 1}},
		{"late, with unknown waits", 2 * unit, 21 * unit, -1, -1, tries{tried: 1}},
		{"late, as other load had the CPU of the stopping goroutine", 2 * unit, 21 * unit, 18 * unit, 0,
			tries{disturbed: 1}},
		{"late, as other load had the CPU of the loop", 10 * unit, 21 * unit, 0, 6 * unit, tries{disturbed: 1}},
		{"late, as other load had both CPUs", 2 * unit, 21 * unit, 7 * unit, 7 * unit, tries{disturbed: 1}},
		{"in time, though other load had the CPU", 2 * unit, 19 * unit, 14 * unit, 0, tries{disturbed: 1}},
		{"exactly 10 ms left", 10 * unit, 21 * unit, 5 * unit, 0, tries{tried: 1}},
		{"too late to be a try", 16 * unit, 17 * unit, 0, 0, tries{}},
		{"before the chunk", -1 * unit, 1 * unit, 0, 0, tries{}},
	} {
		loop := trial.TightLoop{Locked: true, Disturb: "stop",
			Chunks: []trial.TightChunk{{To: 20 * unit, Wait: tt.waitLoop}},
			Stops:  []trial.TightStop{{Interval: trial.Interval{From: tt.from, To: tt.to}, Wait: tt.waitStop}}}
		unlocked, collected := loop, loop
		unlocked.Locked, collected.Disturb = false, "gc"
		if got := triesOf(&trial.Tight{Loops: []trial.TightLoop{unlocked, loop, collected}}); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.what, got, tt.want)
		}
	}
}

// Disturbed tries are replaced, by three trials in all at most.
func TestRepeated(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		what   string
		trials []tries
		want   int // trials done
		err    error
	}{
		{"none disturbed", []tries{{tried: 100}}, 1, nil},
		{"late ones are not repeated", []tries{{tried: 100, interrupted: 1}}, 1, nil},
		{"a few disturbed", []tries{{tried: 98, disturbed: 3}, {tried: 90, disturbed: 8}}, 2, nil},
		{"most disturbed", []tries{{tried: 10, disturbed: 90}, {tried: 20, disturbed: 80}, {tried: 90, disturbed: 1}},
			3, nil},
		{"all disturbed, always", []tries{{disturbed: 90}, {disturbed: 90}, {disturbed: 90}}, 3, nil},
		{"there was none at all", []tries{{}}, 1, nil},
		{"the second fails", []tries{{tried: 1, disturbed: 1}}, 2, broken},
	} {
		done := 0
		err := repeated(func() (int64, int64, error) {
			done++
			if done > len(tt.trials) {
				return 0, 0, broken
			}
			return tt.trials[done-1].tried, tt.trials[done-1].disturbed, nil
		})
		if done != tt.want || err != tt.err {
			t.Errorf("%s: %d trials, %v; want %d, %v", tt.what, done, err, tt.want, tt.err)
		}
	}
}

// A step at which a thread was starting decides nothing; one at rest does.
func TestStepsOfOneMoment(t *testing.T) {
	for _, tt := range []struct {
		what string
		calm bool
		want string
	}{{"while a thread begins", false, contract.Holds}, {"at rest", true, contract.Refuted}} {
		var a trial.Counts
		for i := range 4 {
			metric := uint64(5 + i)
			a.Steps = append(a.Steps, trial.CountStep{Census: probe.Census{Tasks: 5 + i, Metric: &metric}, Calm: true})
		}
		*a.Steps[2].Metric++
		a.Steps[2].Calm = tt.calm
		r := &run{Record: contract.Record{Counts: map[string]int64{}, Samples: map[string]contract.Sample{}}}
		r.count(&a)
		s, _ := contract.Find("X-5")
		o := s.Judge(contract.Evidence{GoVersion: "go1.26.8",
			Experiments: map[string]*contract.Record{"counts": &r.Record}})
		if o.Verdict != tt.want {
			t.Errorf("a different number %s: %s, got %s, why %s", tt.what, o.Verdict, o.Got, o.Why)
		}
	}
}
