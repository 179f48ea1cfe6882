package trial

import (
	"flag"
	"runtime"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// Nest is the account of the trial nest.
type Nest struct {
	Head
	Rounds []NestRound `json:"rounds"`
}

// NestRound is a goroutine that locks itself Locks times and then unlocks itself one by one, with a
// stretch before and after every unlock: Locks + 1 of them. Before all this it calls UnlockOSThread
// Surplus times without a lock.
type NestRound struct {
	Locks   int             `json:"locks"`
	Surplus int             `json:"surplus"`
	Steps   []probe.Stretch `json:"steps"`
}

// nest checks at each depth of nested locks whether the goroutine is bound to its thread.
func nest(flags *flag.FlagSet) func(Self) (Result, error) {
	depth := flags.Int("depth", 4, "rounds; each has one lock more than the last; 1 or more")
	surplus := flags.Int("surplus", 2, "UnlockOSThread calls before the first lock of each round, 0 or more")
	others := flags.Int("others", 4, "other goroutines, 0 or more")
	samples := flags.Int("samples", 400, "samples in a stretch, 1 or more")
	skipLock := flags.Bool("skip-lock", false, "leave out the last LockOSThread of each round")
	lock := probe.HalfLockFlag(flags)
	skipUnlock := flags.Bool("skip-unlock", false, "leave out the last UnlockOSThread of each round")
	return func(Self) (Result, error) {
		if *depth < 1 || *surplus < 0 || *others < 0 || *samples < 1 {
			return nil, workload.Mistake("-depth and -samples must be 1 or more, -surplus and -others not negative")
		}
		a := &Nest{}
		o := probe.StartOthers(*others)
		defer o.Stop()
		for n := 1; n <= *depth; n++ {
			round := make(chan NestRound)
			go func(n int) {
				r := NestRound{Locks: n, Surplus: *surplus}
				for i := 0; i < *surplus; i++ {
					runtime.UnlockOSThread()
				}
				for i := 0; i < n; i++ {
					if (i < n-1 || !*skipLock) && lock.Next() {
						runtime.LockOSThread()
					}
				}
				for left := n; left > 0; left-- {
					r.Steps = append(r.Steps, o.Stretch(0, left, *samples))
					if left > 1 || !*skipUnlock {
						runtime.UnlockOSThread()
					}
				}
				r.Steps = append(r.Steps, o.Stretch(0, 0, *samples))
				runtime.UnlockOSThread() // the one left out; without a lock it does nothing
				round <- r
			}(n)
			a.Rounds = append(a.Rounds, <-round)
		}
		return a, nil
	}
}
