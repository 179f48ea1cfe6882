package verify

import (
	"errors"
	"testing"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

// A stop is a try if 10 ms of the loop's own work were left without what it and the one who asked waited for a CPU; whether it was late has no
// say in that.
func TestTries(t *testing.T) {
	const unit = 2e6 // ns
	for _, tt := range []struct {
		what               string
		from, to           int64 // of the stop; the chunk is from 0 to 20 units
		waitStop, waitLoop int64
		want               tries
	}{
		{"in time", 2 * unit, 3 * unit, 0, 0, tries{tried: 1, interrupted: 1}},
		{"late, and nobody waited for a CPU", 2 * unit, 21 * unit, 0, 0, tries{tried: 1}},
		{"late, and what was waited explains nothing", 2 * unit, 21 * unit, 6 * unit, 6 * unit, tries{tried: 1}},
		{"late, and nobody knows who waited", 2 * unit, 21 * unit, -1, -1, tries{tried: 1}},
		{"late since others had the CPU of the one who asked", 2 * unit, 21 * unit, 18 * unit, 0, tries{spoilt: 1}},
		{"late since others had the CPU of the loop", 10 * unit, 21 * unit, 0, 6 * unit, tries{spoilt: 1}},
		{"late, and others had both", 2 * unit, 21 * unit, 7 * unit, 7 * unit, tries{spoilt: 1}},
		{"in time, though others had the CPU", 2 * unit, 19 * unit, 14 * unit, 0, tries{spoilt: 1}},
		{"just as much was left", 10 * unit, 21 * unit, 5 * unit, 0, tries{tried: 1}},
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

// Tries that were spoilt are made up for, three trials in all at most.
func TestRepeated(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		what   string
		trials []tries
		want   int // trials done
		err    error
	}{
		{"none was spoilt", []tries{{tried: 100}}, 1, nil},
		{"late ones are no reason", []tries{{tried: 100, interrupted: 1}}, 1, nil},
		{"a few were", []tries{{tried: 98, spoilt: 3}, {tried: 90, spoilt: 8}}, 2, nil},
		{"most were", []tries{{tried: 10, spoilt: 90}, {tried: 20, spoilt: 80}, {tried: 90, spoilt: 1}}, 3, nil},
		{"all were, always", []tries{{spoilt: 90}, {spoilt: 90}, {spoilt: 90}}, 3, nil},
		{"there was none at all", []tries{{}}, 1, nil},
		{"the second went wrong", []tries{{tried: 1, spoilt: 1}}, 2, broken},
	} {
		done := 0
		err := repeated(func() (int64, int64, error) {
			done++
			if done > len(tt.trials) {
				return 0, 0, broken
			}
			return tt.trials[done-1].tried, tt.trials[done-1].spoilt, nil
		})
		if done != tt.want || err != tt.err {
			t.Errorf("%s: %d trials, %v; want %d, %v", tt.what, done, err, tt.want, tt.err)
		}
	}
}

// A step at which a thread was on its way says nothing, for or against; one at rest does.
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
		r := &run{Record: contract.Record{Counts: map[string]int64{}}}
		r.count(&a)
		s, _ := contract.Find("X-5")
		o := s.Judge(contract.Evidence{GoVersion: "go1.26.8", Experiments: map[string]*contract.Record{"counts": &r.Record}})
		if o.Verdict != tt.want {
			t.Errorf("another number %s: %s, got %s, why %s", tt.what, o.Verdict, o.Got, o.Why)
		}
	}
}
