package trial

import (
	"flag"
	"runtime"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// GCPin is the account of the trial gcpin.
type GCPin struct {
	Head
	Rounds []GCRound `json:"rounds"` // locked and not, in turn
}

// GCRound is a stretch with garbage collections in it, each of which stops the world at least
// twice.
type GCRound struct {
	Locked  bool          `json:"locked"`
	Stretch probe.Stretch `json:"stretch"`
	After   probe.Stretch `json:"after"`  // unlocked, without forced collections
	Cycles  []Interval    `json:"cycles"` // runtime.GC calls inside the stretch as a whole, the first 1000
	// GCs counts the collections that ended between its first nanosecond and a moment after its
	// last.
	GCs uint64 `json:"gcs"`
	// Pauses is how long each of these stopped the world, as the runtime counts it, the last 256 at
	// most.
	Pauses []int64 `json:"pauses_ns"`
}

// Interval is a stretch of time.
type Interval struct {
	From int64 `json:"from_ns"` // CLOCK_MONOTONIC, as To
	To   int64 `json:"to_ns"`
}

const maxIntervals = 1000

// gcpin has the collector run again and again while a goroutine samples its thread.
func gcpin(flags *flag.FlagSet) func(Self) (Result, error) {
	rounds := flags.Int("rounds", 4, "stretches, every other one locked; 1 or more")
	samples := flags.Int("samples", 1000, "samples in a stretch, 1 or more")
	others := flags.Int("others", 4, "other goroutines, 0 or more")
	lock := probe.LockFlags(flags)
	quiet := flags.Bool("no-gc", false, "do not collect")
	return func(Self) (Result, error) {
		if *rounds < 1 || *samples < 1 || *others < 0 {
			return nil, workload.Mistake("-rounds and -samples must be 1 or more and -others not negative")
		}
		a := &GCPin{}
		o := probe.StartOthers(*others)
		defer o.Stop()
		for i := 0; i < *rounds; i++ {
			round := make(chan GCRound)
			go func(locked bool) {
				if locked && lock.Next() {
					runtime.LockOSThread()
				}
				r := gcRound(o, locked, *samples, !*quiet)
				runtime.UnlockOSThread()
				r.After = o.Stretch(0, 0, *samples/4+1)
				round <- r
			}(i%2 == 0)
			a.Rounds = append(a.Rounds, <-round)
		}
		return a, nil
	}
}

func gcRound(o *probe.Others, locked bool, samples int, collect bool) GCRound {
	r := GCRound{Locked: locked, Cycles: []Interval{}}
	stop, cycles := make(chan struct{}), make(chan []Interval)
	before := probe.Collections()
	go func() {
		list := []Interval{}
		for collect {
			cycle := Interval{From: probe.Now()}
			runtime.GC()
			cycle.To = probe.Now()
			list = append(list, cycle)
			select {
			case <-stop:
				cycles <- list
				return
			default:
			}
		}
		<-stop
		cycles <- list
	}()
	locks := 0
	if locked {
		locks = 1
	}
	r.Stretch = o.Stretch(0, locks, samples)
	close(stop)
	for _, cycle := range <-cycles {
		if cycle.From >= r.Stretch.From && cycle.To <= r.Stretch.To && len(r.Cycles) < maxIntervals {
			r.Cycles = append(r.Cycles, cycle)
		}
	}
	r.GCs = probe.Collections() - before
	r.Pauses = probe.Pauses(r.GCs)
	return r
}
