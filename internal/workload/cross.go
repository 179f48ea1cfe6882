package workload

import (
	"flag"
	"runtime"
	"sync"
)

// Cross is the account of the trial cross.
type Cross struct {
	Head
	Phases []CrossPhase `json:"phases"`
}

// CrossPhase has stretches of two goroutines at one time.
type CrossPhase struct {
	What  string  `json:"what"`  // unlock: Other calls UnlockOSThread for the locked One; lock: Other locks itself beside the unlocked One
	Calls int     `json:"calls"` // that Other made, all before One looked
	One   Stretch `json:"one"`
	Other Stretch `json:"other"`
}

// cross has a goroutine call LockOSThread and UnlockOSThread beside another, which these calls must not touch.
func cross(flags *flag.FlagSet) func(Self) (Result, error) {
	calls := flags.Int("calls", 100, "UnlockOSThread calls of the other goroutine, 1 or more")
	others := flags.Int("bystanders", 4, "further goroutines, 0 or more")
	samples := flags.Int("samples", 1500, "looks in a stretch, 1 or more")
	skip := flags.Bool("skip-lock", false, "leave out LockOSThread")
	wrong := flags.Bool("swap", false, "each goroutine makes the other's calls: One unlocks itself, or locks itself")
	return func(Self) (Result, error) {
		if *calls < 1 || *others < 0 || *samples < 1 {
			return nil, Mistake("-calls and -samples must be 1 or more and -bystanders not negative")
		}
		b := newBystanders(*others)
		defer b.leave()
		lock := func() {
			if !*skip {
				runtime.LockOSThread()
			}
		}
		unlockAll := func() {
			for i := 0; i < *calls; i++ {
				runtime.UnlockOSThread()
			}
		}
		return &Cross{Phases: []CrossPhase{
			b.crossPhase("unlock", *calls, *samples, [2]int{1, 0}, lock, unlockAll, *wrong),
			b.crossPhase("lock", 1, *samples, [2]int{0, 1}, nil, lock, *wrong),
		}}, nil
	}
}

// crossPhase prepares one goroutine, then has the other make its calls, then both look at the same time.
func (b *bystanders) crossPhase(what string, calls, samples int, locks [2]int, prepare, call func(), swap bool) CrossPhase {
	p := CrossPhase{What: what, Calls: calls}
	prepared, called := make(chan struct{}), make(chan struct{})
	var looked, ended sync.WaitGroup // neither lets go before both have looked
	looked.Add(2)
	ended.Add(2)
	look := func(s *Stretch, slot int) {
		*s = b.stretch(slot, locks[slot], samples)
		looked.Done()
		looked.Wait()
		runtime.UnlockOSThread()
		ended.Done()
	}
	go func() {
		if prepare != nil {
			prepare()
		}
		close(prepared)
		<-called
		if swap {
			call()
		}
		look(&p.One, 0)
	}()
	go func() {
		<-prepared
		if !swap {
			call()
		}
		close(called)
		look(&p.Other, 1)
	}()
	ended.Wait()
	return p
}
