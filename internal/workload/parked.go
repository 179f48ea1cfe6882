package workload

import (
	"flag"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Parked is the account of the trial parked.
type Parked struct {
	Head
	Limit    int64         `json:"limit_ns"` // how long released threads were watched
	Released []ParkedRound `json:"released"`
}

// ParkedRound is a thread, not the main one, released together with others by a goroutine that then ends.
type ParkedRound struct {
	Round    int    `json:"round"` // threads of one round were released at one time
	TID      int    `json:"tid"`
	Released int64  `json:"released_ns"` // just after UnlockOSThread
	First    *Visit `json:"first"`       // of another goroutine from then on, found by a look; null = none until the limit
	Looks    uint64 `json:"looks"`       // of others, until the limit
}

// parked has goroutines release their threads all at once while one other goroutine wants a thread now and then.
func parked(flags *flag.FlagSet) func(Self) (Result, error) {
	rounds := flags.Int("rounds", 10, "times that threads are released, 1 or more")
	n := flags.Int("threads", 6, "threads released at a time, 1 to 8")
	limit := flags.Duration("watch", 20*time.Millisecond, "how long to watch them, more than 0")
	wanted := flags.Int("wanted", 0, "goroutines that keep threads busy in system calls, 0 or more")
	return func(Self) (Result, error) {
		if *rounds < 1 || *n < 1 || *n > watchers || *limit <= 0 || *wanted < 0 {
			return nil, Mistake("-rounds and -watch must be more than 0, -threads 1 to 8 and -wanted not negative")
		}
		a := &Parked{Limit: int64(*limit)}
		b := newBystanders(1 + *wanted)
		defer b.leave()
		for i := 0; i < *rounds; i++ {
			a.Released = append(a.Released, b.parkedRound(i, *n, *limit)...)
		}
		return a, nil
	}
}

func (b *bystanders) parkedRound(round, n int, limit time.Duration) []ParkedRound {
	list := make([]ParkedRound, n)
	release := make(chan struct{})
	var ready, released sync.WaitGroup
	ready.Add(n)
	released.Add(n)
	for i := range list {
		p := &list[i]
		p.Round = round
		offMain(func() {
			defer released.Done()
			p.TID = syscall.Gettid()
			ready.Done()
			<-release
			runtime.UnlockOSThread()
			p.Released = monotonic()
		})
	}
	ready.Wait()
	for i := range list {
		b.set(i, list[i].TID)
	}
	close(release)
	released.Wait()
	time.Sleep(limit)
	for i := range list {
		p := &list[i]
		var visitors []Visit
		p.Looks, _, visitors = b.clear(i)
		for k := range visitors {
			if visitors[k].At >= p.Released && p.First == nil { // the thread may be free a moment before that is noted
				p.First = &visitors[k]
			}
		}
	}
	return list
}
