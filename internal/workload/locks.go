package workload

import (
	"flag"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

// Lock is a stretch of time in which a goroutine was locked to a thread at one depth. It was so from the first to the last
// nanosecond here, and for a little before and after that nobody can time.
type Lock struct {
	TID   int   `json:"tid"`
	GoID  int64 `json:"goid"`
	From  int64 `json:"from_ns"` // CLOCK_MONOTONIC, as To
	To    int64 `json:"to_ns"`
	Depth int   `json:"depth"`
}

// noteLock notes a stretch that ends now.
func (s *stage) noteLock(l Lock) {
	l.To = monotonic()
	s.mu.Lock()
	if len(s.locks) < maxKept {
		s.locks = append(s.locks, l)
	}
	s.mu.Unlock()
}

// maxDepth is the depth that the workload depth goes up to.
const maxDepth = 5

// depth has goroutines locked at the depths 1 to 5, which "step" changes: each goes one deeper, and from 5 back to 1.
func depth(flags *flag.FlagSet) func(*stage) error {
	pace := flags.Duration("pace", 5*time.Millisecond, "how often each wakes up, more than 0")
	return func(s *stage) error {
		if *pace <= 0 {
			return Mistake("-pace must be more than 0")
		}
		deepen, deepened := make(chan struct{}), make(chan struct{})
		for d := 1; d <= maxDepth; d++ {
			s.deepener(d, *pace, deepen, deepened)
		}
		s.step = func() {
			for i := 0; i < maxDepth; i++ {
				deepen <- struct{}{}
			}
			for i := 0; i < maxDepth; i++ {
				deepened <- struct{}{} // only now: nobody takes two turns
			}
		}
		return nil
	}
}

// deepener sets up a locked goroutine that wakes up at a pace, which is one operation, and changes its depth when told to.
func (s *stage) deepener(depth int, pace time.Duration, deepen, deepened <-chan struct{}) {
	s.pin("depth", depth, func(p *Pin) {
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for {
			select {
			case <-s.done:
				s.noteLock(Lock{TID: p.TID, GoID: p.GoID, From: p.since, Depth: p.Depth})
				return
			case <-tick.C:
				s.mu.Lock()
				p.Ops++
				s.mu.Unlock()
				atomic.AddUint64(&s.ops, 1)
			case <-deepen:
				s.noteLock(Lock{TID: p.TID, GoID: p.GoID, From: p.since, Depth: p.Depth})
				s.deepen(p)
				<-deepened
			}
		}
	})
}

// deepen changes the depth of the calling goroutine, whose pin p is.
//
//pinwatch:ignore each call is one step of a lock that pin took and gives back
func (s *stage) deepen(p *Pin) {
	depth := p.Depth + 1
	if p.Depth == maxDepth {
		for depth = p.Depth; depth > 1; depth-- {
			runtime.UnlockOSThread()
		}
	} else {
		s.locking()
		runtime.LockOSThread()
	}
	s.mu.Lock()
	p.Depth, p.since = depth, monotonic()
	s.mu.Unlock()
}

// dance has short-lived goroutines lock themselves in turn, so that the same threads hold ever other ones.
func dance(flags *flag.FlagSet) func(*stage) error {
	n := flags.Int("n", 2, "goroutines that are locked at a time, 1 or more")
	hold := flags.Duration("held", 5*time.Millisecond, "how long each is locked, more than 0")
	rest := flags.Duration("rest", time.Millisecond, "pause between one and the next")
	return func(s *stage) error {
		if *n < 1 || *hold <= 0 || *rest < 0 {
			return Mistake("-n must be 1 or more, -held more than 0 and -rest not negative")
		}
		for i := 0; i < *n; i++ {
			s.run(func() {
				ended := make(chan struct{})
				for turn := 0; s.pause(*rest); turn++ {
					depth := 1 + turn%3
					go func() {
						s.dancer(depth, *hold)
						ended <- struct{}{}
					}()
					<-ended
				}
			})
		}
		return nil
	}
}

// dancer locks its goroutine depth times, sleeps twice and unlocks it, which is one operation.
func (s *stage) dancer(depth int, hold time.Duration) {
	for i := 0; i < depth; i++ {
		s.locking()
		runtime.LockOSThread()
	}
	l := Lock{TID: syscall.Gettid(), GoID: goid(), From: monotonic(), Depth: depth}
	time.Sleep(hold / 2) // a sleep switches threads, and that is when an observer looks
	time.Sleep(hold / 2)
	s.noteLock(l)
	for i := 0; i < depth; i++ {
		runtime.UnlockOSThread()
	}
	atomic.AddUint64(&s.ops, 1)
}
