package workload

import (
	"flag"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// pingpong wakes one thread by another as fast as it can, or at a pace.
func pingpong(flags *flag.FlagSet) func(*stage) error {
	pairs := flags.Int("pairs", 1, "pairs of locked goroutines, 1 or more")
	batch := flags.Int("batch", 100, "round trips between two pauses, 1 or more")
	pace := flags.Duration("pace", 0, "pause of a pair after each batch; 0 = none")
	return func(s *stage) error {
		if *pairs < 1 || *batch < 1 || *pace < 0 {
			return Mistake("-pairs and -batch must be 1 or more and -pace must not be negative")
		}
		for i := 0; i < *pairs; i++ {
			s.pair(*batch, *pace)
		}
		return nil
	}
}

// pair sets up two locked goroutines that hand a token to and fro, batch times between two pauses. A round trip is
// one operation of the first and two hand-offs.
func (s *stage) pair(batch int, pace time.Duration) {
	there, back := make(chan struct{}), make(chan struct{})
	s.pin("ping", 1, func(p *Pin) {
		defer close(there)
		for s.pause(pace) {
			for i := 0; i < batch; i++ {
				there <- struct{}{}
				<-back
			}
			p.Ops += uint64(batch)
			atomic.AddUint64(&s.ops, uint64(batch))
			atomic.AddUint64(&s.handoffs, 2*uint64(batch))
		}
	})
	s.pin("pong", 2, func(p *Pin) {
		for range there {
			p.Ops++
			back <- struct{}{}
		}
	})
}

// threads keeps many threads switching: a few tokens go round a ring of locked goroutines, and who holds one works a
// little, sleeps and passes it on. With more tokens than one, wake-ups meet on a CPU and the kernel spreads them.
func threads(flags *flag.FlagSet) func(*stage) error {
	n := flags.Int("n", 200, "locked threads, 1 or more")
	tokens := flags.Int("tokens", 4, "threads that are awake at a time, 1 or more")
	pace := flags.Duration("pace", 500*time.Microsecond, "sleep of each thread in its turn")
	return func(s *stage) error {
		if *n < 1 || *tokens < 1 || *pace < 0 {
			return Mistake("-n and -tokens must be 1 or more and -pace must not be negative")
		}
		s.ring(*n, *tokens, *pace)
		return nil
	}
}

// defaultMaxThreads is how many threads the runtime allows a program that does not ask for more (runtime/debug.SetMaxThreads).
const defaultMaxThreads = 10000

// ring sets up n locked goroutines at depths 1, 2, 3, 1, … A turn is one operation; passing the token on is one hand-off.
func (s *stage) ring(n, tokens int, pace time.Duration) {
	seats := make([]chan struct{}, n)
	for i := range seats {
		seats[i] = make(chan struct{}, tokens) // room for every token: passing one on never waits
	}
	if n > defaultMaxThreads/2 {
		debug.SetMaxThreads(n + defaultMaxThreads)
	}
	left := int64(tokens)
	for i := range seats {
		mine, next := seats[i], seats[(i+1)%n]
		s.pin("turn", 1+i%3, func(p *Pin) {
			for range mine {
				if !s.pause(pace) {
					if atomic.AddInt64(&left, -1) == 0 { // the last token: nobody sends any more
						for _, seat := range seats {
							close(seat)
						}
					}
					continue
				}
				spin(10000)
				p.Ops++
				atomic.AddUint64(&s.ops, 1)
				atomic.AddUint64(&s.handoffs, 1)
				next <- struct{}{}
			}
		})
	}
	for i := 0; i < tokens; i++ {
		seats[i*n/tokens] <- struct{}{} // evenly round the ring; they wait there for the beginning
	}
}
