package program

import (
	"flag"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/work"
)

// pingpong wakes one thread by another as fast as it can, or at a pace.
func pingpong(flags *flag.FlagSet) func(*Workload) error {
	pairs := flags.Int("pairs", 1, "pairs of locked goroutines, 1 or more")
	batch := flags.Int("batch", 100, "round trips between two pauses, 1 or more")
	pace := flags.Duration("pace", 0, "pause of a pair after each batch; 0 = none")
	return func(w *Workload) error {
		if *pairs < 1 || *batch < 1 || *pace < 0 {
			return workload.Mistake("-pairs and -batch must be 1 or more and -pace must not be negative")
		}
		for i := 0; i < *pairs; i++ {
			w.pair(*batch, *pace)
		}
		return nil
	}
}

// pair sets up two locked goroutines that hand a token to and fro, batch times between two pauses.
// A round trip is one operation of the first and two hand-offs.
func (w *Workload) pair(batch int, pace time.Duration) {
	ping, pong := make(chan struct{}), make(chan struct{})
	w.Pin("ping", 1, func(p *Pin) {
		defer close(ping)
		for w.Pause(pace) {
			for i := 0; i < batch; i++ {
				ping <- struct{}{}
				<-pong
			}
			p.Ops += uint64(batch)
			w.Op(uint64(batch))
			atomic.AddUint64(&w.handoffs, 2*uint64(batch))
		}
	})
	w.Pin("pong", 2, func(p *Pin) {
		for range ping {
			p.Ops++
			pong <- struct{}{}
		}
	})
}

// threads keeps many threads switching. A few tokens go round a ring of locked goroutines. The
// holder of a token works a little, sleeps and passes it on. With more than one token, wake-ups
// meet on a CPU and the kernel spreads them.
func threads(flags *flag.FlagSet) func(*Workload) error {
	n := flags.Int("n", 200, "locked threads, 1 or more")
	tokens := flags.Int("tokens", 4, "threads that are awake at a time, 1 or more")
	pace := flags.Duration("pace", 500*time.Microsecond, "sleep of each thread in its turn")
	return func(w *Workload) error {
		if *n < 1 || *tokens < 1 || *pace < 0 {
			return workload.Mistake("-n and -tokens must be 1 or more and -pace must not be negative")
		}
		w.ring(*n, *tokens, *pace)
		return nil
	}
}

// defaultMaxThreads is how many threads the runtime allows a program that does not ask for more
// (runtime/debug.SetMaxThreads). It ends a program that has more.
const defaultMaxThreads = 10000

// ring sets up n locked goroutines at depths 1, 2, 3, 1, … A turn is one operation. Passing the
// token on is one hand-off.
func (w *Workload) ring(n, tokens int, pace time.Duration) {
	seats := make([]chan struct{}, n)
	for i := range seats {
		seats[i] = make(chan struct{}, tokens) // room for every token: passing one on never waits
	}
	if n > defaultMaxThreads/2 {
		debug.SetMaxThreads(n + defaultMaxThreads)
	}
	left := int64(tokens)
	for i := range seats {
		seat, next := seats[i], seats[(i+1)%n]
		w.Pin("turn", 1+i%3, func(p *Pin) {
			for range seat {
				if !w.Pause(pace) {
					if atomic.AddInt64(&left, -1) == 0 { // the last token: there are no more sends
						for _, seat := range seats {
							close(seat)
						}
					}
					continue
				}
				work.Spin(10000)
				p.Ops++
				w.Op(1)
				atomic.AddUint64(&w.handoffs, 1)
				next <- struct{}{}
			}
		})
	}
	for i := 0; i < tokens; i++ {
		seats[i*n/tokens] <- struct{}{} // evenly round the ring; they wait there for the beginning
	}
}
