package program

import (
	"flag"
	"runtime"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// maxDepth is the greatest depth of the program depth.
const maxDepth = 5

// depth has goroutines locked at the depths 1 to 5. A step makes each one deeper, and from 5 back
// to 1.
func depth(flags *flag.FlagSet) func(*Workload) error {
	pace := flags.Duration("pace", 5*time.Millisecond, "how often each wakes up, more than 0")
	return func(w *Workload) error {
		if *pace <= 0 {
			return workload.Mistake("-pace must be more than 0")
		}
		deepen, deepened := make(chan struct{}), make(chan struct{})
		for d := 1; d <= maxDepth; d++ {
			w.deepener(d, *pace, deepen, deepened)
		}
		w.step = func() {
			for i := 0; i < maxDepth; i++ {
				deepen <- struct{}{}
			}
			for i := 0; i < maxDepth; i++ {
				deepened <- struct{}{} // only now: no goroutine takes two turns
			}
		}
		return nil
	}
}

// deepener sets up a locked goroutine that wakes up at a pace, which is one operation. It changes
// its depth for every receive from deepen.
func (w *Workload) deepener(depth int, pace time.Duration, deepen, deepened <-chan struct{}) {
	w.Pin("depth", depth, func(p *Pin) {
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for {
			select {
			case <-w.done:
				w.noteLock(p.lock())
				return
			case <-tick.C:
				w.mu.Lock()
				p.Ops++
				w.mu.Unlock()
				w.Op(1)
			case <-deepen:
				w.noteLock(p.lock())
				w.deepen(p)
				<-deepened
			}
		}
	})
}

// lock is the stretch that the pin's goroutine is in.
func (p *Pin) lock() workload.Lock {
	return workload.Lock{TID: p.TID, GoID: p.GoID, From: p.since, Depth: p.Depth}
}

// deepen changes the depth of the calling goroutine, whose pin p is.
//
//pinwatch:ignore each call is one step of a lock that pin took and gives back
func (w *Workload) deepen(p *Pin) {
	depth := p.Depth + 1
	if p.Depth == maxDepth {
		for depth = p.Depth; depth > 1; depth-- {
			runtime.UnlockOSThread()
		}
	} else {
		w.noteSite()
		runtime.LockOSThread()
	}
	w.mu.Lock()
	p.Depth, p.since = depth, probe.Now()
	w.mu.Unlock()
}

// dance has short-lived goroutines lock themselves in turn: the same threads are held by ever new
// goroutines.
func dance(flags *flag.FlagSet) func(*Workload) error {
	n := flags.Int("n", 2, "goroutines that are locked at a time, 1 or more")
	hold := flags.Duration("held", 5*time.Millisecond, "how long each is locked, more than 0")
	rest := flags.Duration("rest", time.Millisecond, "pause between one and the next")
	return func(w *Workload) error {
		if *n < 1 || *hold <= 0 || *rest < 0 {
			return workload.Mistake("-n must be 1 or more, -held more than 0 and -rest not negative")
		}
		for i := 0; i < *n; i++ {
			w.Run(func() {
				ended := make(chan struct{})
				for turn := 0; w.Pause(*rest); turn++ {
					depth := 1 + turn%3
					go func() {
						w.dancer(depth, *hold)
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
func (w *Workload) dancer(depth int, hold time.Duration) {
	for i := 0; i < depth; i++ {
		w.noteSite()
		runtime.LockOSThread()
	}
	l := workload.Lock{TID: syscall.Gettid(), GoID: probe.GoID(), From: probe.Now(), Depth: depth}
	time.Sleep(hold / 2) // a sleep switches threads; an observer reads the lock then
	time.Sleep(hold / 2)
	w.noteLock(l)
	for i := 0; i < depth; i++ {
		runtime.UnlockOSThread()
	}
	w.Op(1)
}
