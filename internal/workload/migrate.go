package workload

import (
	"flag"
	"runtime"
	"sync"
)

// Migrate is the account of the trial migrate: the stretches of its locked goroutines, then of those that were not.
type Migrate struct {
	Head
	Bystanders int       `json:"bystanders"`
	Stretches  []Stretch `json:"stretches"`
}

// migrate has locked goroutines and others do at the same time what moves goroutines, with bystanders that fill every thread.
func migrate(flags *flag.FlagSet) func(Self) (Result, error) {
	locked := flags.Int("locked", 2, "goroutines that lock themselves, 0 or more")
	unlocked := flags.Int("unlocked", 2, "goroutines that do not; with those that do 1 to 8")
	others := flags.Int("bystanders", 4, "other goroutines, 0 or more")
	samples := flags.Int("samples", 4000, "looks of each, 1 or more")
	skip := flags.Bool("skip-lock", false, "leave out LockOSThread")
	return func(Self) (Result, error) {
		n := *locked + *unlocked
		if *locked < 0 || *unlocked < 0 || n < 1 || n > watchers || *others < 0 || *samples < 1 {
			return nil, Mistake("-locked, -unlocked and -bystanders must not be negative, the first two together 1 to 8, -samples 1 or more")
		}
		a := &Migrate{Bystanders: *others, Stretches: make([]Stretch, n)}
		b := newBystanders(*others)
		var ready, ended sync.WaitGroup // all are locked before the first looks, and are until the last has looked
		ready.Add(n)
		ended.Add(n)
		for i := range a.Stretches {
			go func(i int) {
				locks := 0
				if i < *locked {
					locks = 1
				}
				if locks > 0 && !*skip {
					runtime.LockOSThread()
					defer runtime.UnlockOSThread()
				}
				ready.Done()
				ready.Wait()
				a.Stretches[i] = b.stretch(i, locks, *samples)
				ended.Done()
				ended.Wait()
			}(i)
		}
		ended.Wait()
		b.leave()
		return a, nil
	}
}
