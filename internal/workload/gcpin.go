package workload

import (
	"flag"
	"runtime"
)

// GCPin is the account of the trial gcpin.
type GCPin struct {
	Head
	Rounds []GCRound `json:"rounds"` // locked and not, in turn
}

// GCRound is a stretch with garbage collections in it, each of which stops the world at least twice.
type GCRound struct {
	Locked  bool    `json:"locked"`
	Stretch Stretch `json:"stretch"`
	After   Stretch `json:"after"`     // unlocked, without collections asked for
	Cycles  []Span  `json:"cycles"`    // runtime.GC calls that fell into the stretch as a whole, the first 1000
	GCs     uint64  `json:"gcs"`       // collections that ended between its first nanosecond and a moment after its last
	Pauses  []int64 `json:"pauses_ns"` // of these, how long the world stood still, by the runtime's own account; the last 256 at most
}

// Span is a stretch of time.
type Span struct {
	From int64 `json:"from_ns"` // CLOCK_MONOTONIC, as To
	To   int64 `json:"to_ns"`
}

const maxSpans = 1000

// gcpin has the collector run again and again while a goroutine looks at its thread.
func gcpin(flags *flag.FlagSet) func(Self) (Result, error) {
	rounds := flags.Int("rounds", 4, "stretches, every other one locked; 1 or more")
	samples := flags.Int("samples", 1000, "looks in a stretch, 1 or more")
	others := flags.Int("bystanders", 4, "other goroutines, 0 or more")
	skip := flags.Bool("skip-lock", false, "leave out LockOSThread")
	quiet := flags.Bool("no-gc", false, "do not collect")
	return func(Self) (Result, error) {
		if *rounds < 1 || *samples < 1 || *others < 0 {
			return nil, Mistake("-rounds and -samples must be 1 or more and -bystanders not negative")
		}
		a := &GCPin{}
		b := newBystanders(*others)
		defer b.leave()
		for i := 0; i < *rounds; i++ {
			round := make(chan GCRound)
			go func(locked bool) {
				if locked && !*skip {
					runtime.LockOSThread()
				}
				r := b.gcRound(locked, *samples, !*quiet)
				runtime.UnlockOSThread()
				r.After = b.stretch(0, 0, *samples/4+1)
				round <- r
			}(i%2 == 0)
			a.Rounds = append(a.Rounds, <-round)
		}
		return a, nil
	}
}

func (b *bystanders) gcRound(locked bool, samples int, collect bool) GCRound {
	r := GCRound{Locked: locked, Cycles: []Span{}}
	stop, cycles := make(chan struct{}), make(chan []Span)
	before := collections()
	go func() {
		spans := []Span{}
		for collect {
			span := Span{From: monotonic()}
			runtime.GC()
			span.To = monotonic()
			spans = append(spans, span)
			select {
			case <-stop:
				cycles <- spans
				return
			default:
			}
		}
		<-stop
		cycles <- spans
	}()
	locks := 0
	if locked {
		locks = 1
	}
	r.Stretch = b.stretch(0, locks, samples)
	close(stop)
	for _, span := range <-cycles {
		if span.From >= r.Stretch.From && span.To <= r.Stretch.To && len(r.Cycles) < maxSpans {
			r.Cycles = append(r.Cycles, span)
		}
	}
	r.GCs = collections() - before
	r.Pauses = pauses(r.GCs)
	return r
}
