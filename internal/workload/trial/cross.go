package trial

import (
	"flag"
	"runtime"
	"sync"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// Cross is the account of the trial cross.
type Cross struct {
	Head
	Phases []CrossPhase `json:"phases"`
}

// CrossPhase has stretches of two goroutines at one time.
type CrossPhase struct {
	// What is "unlock": Other calls UnlockOSThread while One is locked; or "lock": Other locks
	// itself while One is unlocked.
	What  string        `json:"what"`
	Calls int           `json:"calls"` // that Other made, all before the stretch of One
	One   probe.Stretch `json:"one"`
	Other probe.Stretch `json:"other"`
}

// cross has a goroutine call LockOSThread and UnlockOSThread beside another, which these calls must
// not touch.
func cross(flags *flag.FlagSet) func(Self) (Result, error) {
	calls := flags.Int("calls", 100, "UnlockOSThread calls of the other goroutine, 1 or more")
	others := flags.Int("others", 4, "further goroutines, 0 or more")
	samples := flags.Int("samples", 1500, "samples in a stretch, 1 or more")
	calling := probe.LockFlags(flags)
	wrong := flags.Bool("swap", false, "each goroutine makes the other's calls: One unlocks itself, or locks itself")
	return func(Self) (Result, error) {
		if *calls < 1 || *others < 0 || *samples < 1 {
			return nil, workload.Mistake("-calls and -samples must be 1 or more and -others not negative")
		}
		o := probe.StartOthers(*others)
		defer o.Stop()
		lock := func() {
			if calling.Next() {
				runtime.LockOSThread()
			}
		}
		unlockAll := func() {
			for i := 0; i < *calls; i++ {
				runtime.UnlockOSThread()
			}
		}
		return &Cross{Phases: []CrossPhase{
			crossPhase(o, "unlock", *calls, *samples, [2]int{1, 0}, lock, unlockAll, *wrong),
			crossPhase(o, "lock", 1, *samples, [2]int{0, 1}, nil, lock, *wrong),
		}}, nil
	}
}

// crossPhase prepares one goroutine, then has the other make its calls, then both have a stretch at
// the same time.
func crossPhase(o *probe.Others, what string, calls, samples int, locks [2]int, prepare, call func(),
	swap bool) CrossPhase {
	p := CrossPhase{What: what, Calls: calls}
	prepared, called := make(chan struct{}), make(chan struct{})
	var sampled, ended sync.WaitGroup // both keep their locks until both stretches are over
	sampled.Add(2)
	ended.Add(2)
	sample := func(s *probe.Stretch, slot int) {
		*s = o.Stretch(slot, locks[slot], samples)
		sampled.Done()
		sampled.Wait()
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
		sample(&p.One, 0)
	}()
	go func() {
		<-prepared
		if !swap {
			call()
		}
		close(called)
		sample(&p.Other, 1)
	}()
	ended.Wait()
	return p
}
