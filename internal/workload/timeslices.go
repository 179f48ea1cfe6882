package workload

import (
	"flag"
	"runtime"
	"sync/atomic"
	"time"
)

// Slices is the account of the trial slices.
type Slices struct {
	Head
	Rounds []SliceRound `json:"rounds"` // locked and not, in turn
}

// SliceRound is two loops that share the only P (GOMAXPROCS 1): each is preempted when its time slice is over, for the other. One of
// them is locked or none is.
type SliceRound struct {
	Locked bool `json:"locked"` // before any flag that leaves calls out
	// Cycles are, for each preemption of the first loop, the times that nobody ran: from its last reading of the clock to the second's
	// first, and from the second's last to its own next. A reading comes every few microseconds, and there is no call in between.
	Cycles []int64 `json:"cycles_ns"`
}

// timeSlices measures what the preemption of a loop by another takes away from both.
func timeSlices(flags *flag.FlagSet) func(Self) (Result, error) {
	rounds := flags.Int("rounds", 8, "pairs of loops, every other one with a locked one; 1 or more")
	length := flags.Duration("length", 400*time.Millisecond, "length of a round, more than 0")
	skip := flags.Bool("skip-lock", false, "leave out LockOSThread")
	return func(Self) (Result, error) {
		if *rounds < 1 || *length <= 0 {
			return nil, Mistake("-rounds and -length must be more than 0")
		}
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		a := &Slices{}
		for i := 0; i < *rounds; i++ {
			a.Rounds = append(a.Rounds, sliceRound(i%2 == 0, *skip, *length))
		}
		return a, nil
	}
}

// sliceTurns of spin are some two microseconds.
const sliceTurns = 2000

// reading is the newest reading of the clock of the two loops, whose number is its lowest bit.
type reading struct {
	at   int64 // atomic
	over int32 // atomic: 1 = the round is
}

func sliceRound(locked, skip bool, length time.Duration) SliceRound {
	r := SliceRound{Locked: locked, Cycles: []int64{}}
	var newest reading
	out, back := make(chan []int64), make(chan []int64)
	base := time.Now()
	go func() {
		if locked && !skip {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
		}
		back <- newest.loop(base, 0)
	}()
	go func() { out <- newest.loop(base, 1) }()
	time.Sleep(length)
	atomic.StoreInt32(&newest.over, 1)
	var away, home []int64
	for i := 0; i < 2; i++ {
		select {
		case away = <-out:
		case home = <-back:
		}
	}
	for i := 1; i < len(away) && i < len(home); i++ { // the first are from the start
		r.Cycles = append(r.Cycles, away[i]+home[i])
	}
	return r
}

// loop reads the clock until the round is over and returns, for each time it took over from the other loop, how long ago that had
// read it last.
func (n *reading) loop(base time.Time, number int64) (gaps []int64) {
	for atomic.LoadInt32(&n.over) == 0 {
		spin(sliceTurns)
		now := int64(time.Since(base))
		if last := atomic.SwapInt64(&n.at, now&^1|number); last&1 != number {
			gaps = append(gaps, int64(time.Since(base))-last) // now may be older: we may have been preempted since
		}
	}
	return gaps
}
