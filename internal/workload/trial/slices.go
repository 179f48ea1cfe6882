package trial

import (
	"flag"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
	"github.com/pinwatch/pinwatch/internal/workload/work"
)

// Slices is the account of the trial slices.
type Slices struct {
	Head
	Rounds []SliceRound `json:"rounds"` // locked and not, in turn
}

// SliceRound is two loops that share the only P (GOMAXPROCS 1): each is preempted for the other
// when its time slice is over. One of them is locked, or none.
type SliceRound struct {
	Locked bool `json:"locked"` // before any flag that leaves calls out
	// Cycles has a value for each preemption of the first loop: how long neither loop ran, from its
	// last reading of the clock to the first of the second loop, and from the last of that to its
	// next. The loops read the clock every few microseconds, without a call in between.
	Cycles []int64 `json:"cycles_ns"`
	First  int     `json:"first_tid"` // thread that the loop began on
	Second int     `json:"second_tid"`
}

// timeSlices measures how much time both loops lose by the preemption of one by the other.
func timeSlices(flags *flag.FlagSet) func(Self) (Result, error) {
	rounds := flags.Int("rounds", 8, "pairs of loops, every other one with a locked one; 1 or more")
	length := flags.Duration("length", 400*time.Millisecond, "length of a round, more than 0")
	lock := probe.LockFlags(flags)
	return func(self Self) (Result, error) {
		if *rounds < 1 || *length <= 0 {
			return nil, workload.Mistake("-rounds and -length must be more than 0")
		}
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		a := &Slices{}
		for i := 0; i < *rounds; i++ {
			a.Rounds = append(a.Rounds, sliceRound(self, i%2 == 0, lock, *length))
		}
		return a, nil
	}
}

// sliceTurns rounds of Spin take about two microseconds.
const sliceTurns = 2000

// reading is the newest reading of the clock by the two loops. Its lowest bit is the number of the
// loop.
type reading struct {
	at   int64 // atomic
	over int32 // atomic: 1 = the round is over
}

func sliceRound(self Self, locked bool, lock *probe.Locks, length time.Duration) SliceRound {
	r := SliceRound{Locked: locked, Cycles: []int64{}}
	var newest reading
	base := time.Now()
	toSecond, toFirst, begun := make(chan []int64), make(chan []int64), make(chan struct{})
	loop := func(number int64, tid *int) []int64 {
		*tid = syscall.Gettid()
		return newest.loop(base, number)
	}
	go func() {
		if locked {
			if lock.Next() {
				runtime.LockOSThread()
			}
			defer runtime.UnlockOSThread()
			self.Claim(Hold(1))
		}
		close(begun)
		toFirst <- loop(0, &r.First)
	}()
	<-begun
	go func() { toSecond <- loop(1, &r.Second) }()
	time.Sleep(length)
	atomic.StoreInt32(&newest.over, 1)
	var second, first []int64
	for i := 0; i < 2; i++ {
		select {
		case second = <-toSecond:
		case first = <-toFirst:
		}
	}
	for i := 1; i < len(second) && i < len(first); i++ { // the values at 0 are from the start
		r.Cycles = append(r.Cycles, second[i]+first[i])
	}
	return r
}

// loop reads the clock until the round is over. For each time that it took over from the other loop
// it returns how long ago that loop had read the clock last.
func (n *reading) loop(base time.Time, number int64) (gaps []int64) {
	for atomic.LoadInt32(&n.over) == 0 {
		work.Spin(sliceTurns)
		now := int64(time.Since(base))
		if last := atomic.SwapInt64(&n.at, now&^1|number); last&1 != number {
			gaps = append(gaps, int64(time.Since(base))-last) // now may be old: the loop may have been preempted since
		}
	}
	return gaps
}
