package trial

import (
	"flag"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// Parked is the account of the trial parked.
type Parked struct {
	Head
	Limit    int64         `json:"limit_ns"` // how long released threads were watched
	Released []ParkedRound `json:"released"`
}

// ParkedRound is a thread, not the main one. A goroutine releases it, together with others, and
// then ends.
type ParkedRound struct {
	Round    int   `json:"round"` // threads of one round were released at one time
	TID      int   `json:"tid"`
	Released int64 `json:"released_ns"` // just after UnlockOSThread
	// First is the first visit of another goroutine from then on; null = none until the limit.
	First  *probe.Visit `json:"first"`
	Checks uint64       `json:"checks"` // by others, until the limit
}

// parked has goroutines release their threads all at once, while one other goroutine wants a thread
// now and then.
func parked(flags *flag.FlagSet) func(Self) (Result, error) {
	rounds := flags.Int("rounds", 10, "times that threads are released, 1 or more")
	n := flags.Int("threads", 6, "threads released at a time, 1 to 8")
	limit := flags.Duration("watch", 20*time.Millisecond, "how long to watch them, more than 0")
	lock := probe.LockFlags(flags)
	wanted := flags.Int("wanted", 0, "goroutines that keep threads busy in system calls, 0 or more")
	return func(self Self) (Result, error) {
		if *rounds < 1 || *n < 1 || *n > probe.MaxWatched || *limit <= 0 || *wanted < 0 {
			return nil, workload.Mistake("-rounds and -watch must be more than 0, -threads 1 to 8 and -wanted not negative")
		}
		a := &Parked{Limit: int64(*limit)}
		o := probe.StartOthers(1 + *wanted)
		defer o.Stop()
		for i := 0; i < *rounds; i++ {
			a.Released = append(a.Released, parkedRound(self, o, i, *n, lock, *limit)...)
		}
		return a, nil
	}
}

func parkedRound(self Self, o *probe.Others, round, n int, lock *probe.Locks, limit time.Duration) []ParkedRound {
	list := make([]ParkedRound, n)
	release := make(chan struct{})
	var ready, released sync.WaitGroup
	ready.Add(n)
	released.Add(n)
	for i := range list {
		p := &list[i]
		p.Round = round
		probe.OffMain(func() {
			defer released.Done()
			if !lock.Next() {
				runtime.UnlockOSThread()
			}
			self.Claim(Hold(1))
			p.TID = syscall.Gettid()
			ready.Done()
			<-release
			runtime.UnlockOSThread()
			p.Released = probe.Now()
		})
	}
	ready.Wait()
	for i := range list {
		o.Watch(i, list[i].TID)
	}
	close(release)
	released.Wait()
	time.Sleep(limit)
	for i := range list {
		p := &list[i]
		var visitors []probe.Visit
		p.Checks, _, visitors = o.Unwatch(i)
		for k := range visitors {
			if visitors[k].At >= p.Released && p.First == nil { // the thread may be free a moment before that is noted
				p.First = &visitors[k]
			}
		}
	}
	return list
}
