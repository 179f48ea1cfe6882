package trial

import (
	"flag"
	"runtime"
	"sync"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// Migrate is the account of the trial migrate: the stretches of its locked goroutines, then of the
// unlocked ones.
type Migrate struct {
	Head
	Others    int             `json:"others"` // other goroutines
	Stretches []probe.Stretch `json:"stretches"`
}

// migrate has locked and unlocked goroutines do at the same time what moves goroutines. Other
// goroutines fill every thread meanwhile.
func migrate(flags *flag.FlagSet) func(Self) (Result, error) {
	locked := flags.Int("locked", 2, "goroutines that lock themselves, 0 or more")
	unlocked := flags.Int("unlocked", 2, "goroutines that do not; with those that do 1 to 8")
	others := flags.Int("others", 4, "other goroutines, 0 or more")
	samples := flags.Int("samples", 4000, "samples of each, 1 or more")
	lock := probe.LockFlags(flags)
	return func(Self) (Result, error) {
		n := *locked + *unlocked
		if *locked < 0 || *unlocked < 0 || n < 1 || n > probe.MaxWatched || *others < 0 || *samples < 1 {
			return nil, workload.Mistake("-locked, -unlocked and -others must not be negative, " +
				"the first two together 1 to 8, -samples 1 or more")
		}
		a := &Migrate{Others: *others, Stretches: make([]probe.Stretch, n)}
		o := probe.StartOthers(*others)
		var ready, ended sync.WaitGroup // all are locked before the first sample, and until after the last one
		ready.Add(n)
		ended.Add(n)
		for i := range a.Stretches {
			go func(i int) {
				locks := 0
				if i < *locked {
					locks = 1
				}
				if locks > 0 && lock.Next() {
					runtime.LockOSThread()
					defer runtime.UnlockOSThread()
				}
				ready.Done()
				ready.Wait()
				a.Stretches[i] = o.Stretch(i, locks, *samples)
				ended.Done()
				ended.Wait()
			}(i)
		}
		ended.Wait()
		o.Stop()
		return a, nil
	}
}
