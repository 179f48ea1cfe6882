package trial

import (
	"flag"
	"runtime"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// Reuse is the account of the trial reuse.
type Reuse struct {
	Head
	Limit  int64        `json:"limit_ns"` // how long a released thread was watched at most
	Rounds []ReuseRound `json:"rounds"`
}

// ReuseRound is a thread, not the main one, that a goroutine releases. If the goroutine goes on, it
// comes back to the thread by chance only.
type ReuseRound struct {
	Others    int          `json:"others"`  // goroutines that want a thread, beside one that wakes up now and then
	GoesOn    bool         `json:"goes_on"` // the goroutine goes on; otherwise it ended when it had unlocked itself
	GoID      int64        `json:"goid"`
	TID       int          `json:"tid"`
	Before    uint64       `json:"before"`        // visits of others while it was locked
	Successor int          `json:"successor_tid"` // probe.Successor while it was locked
	Unlocking int64        `json:"unlocking_ns"`  // just before UnlockOSThread
	First     *probe.Visit `json:"first"`         // the first of another goroutine from then on; null = none until Until
	Until     int64        `json:"until_ns"`
	Checks    uint64       `json:"checks"` // by others, until then
	Alive     bool         `json:"alive"`  // the thread was in /proc/self/task then
}

// reuse has goroutines release their threads and finds the next goroutine on each.
func reuse(flags *flag.FlagSet) func(Self) (Result, error) {
	n := flags.Int("n", 24, "threads released while there are few other goroutines, and while there are many; 1 or more")
	limit := flags.Duration("watch", 50*time.Millisecond, "how long to wait for a thread's next goroutine, more than 0")
	lock := probe.LockFlags(flags)
	skip := flags.Bool("skip-unlock", false, "leave out UnlockOSThread")
	return func(self Self) (Result, error) {
		if *n < 1 || *limit <= 0 {
			return nil, workload.Mistake("-n must be 1 or more and -watch more than 0")
		}
		a := &Reuse{Limit: int64(*limit)}
		for _, others := range []int{1, 6} {
			o := probe.StartOthers(others)
			for i := 0; i < *n; i++ {
				r := reuseRound(self, o, *limit, i%2 == 1, lock, *skip)
				r.Others = others
				a.Rounds = append(a.Rounds, r)
			}
			o.Stop()
		}
		return a, nil
	}
}

func reuseRound(self Self, o *probe.Others, limit time.Duration, goesOn bool, lock *probe.Locks, skip bool) ReuseRound {
	r := ReuseRound{GoesOn: goesOn}
	released, over, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	probe.OffMain(func() {
		defer close(ended)
		if !lock.Next() {
			runtime.UnlockOSThread()
		}
		self.Claim(Hold(1))
		s := o.Stretch(0, 1, 20)
		r.GoID, r.TID, r.Before, r.Successor = s.GoID, s.TID, s.Visits, probe.Successor()
		o.Watch(0, r.TID)
		r.Unlocking = probe.Now()
		if !skip {
			runtime.UnlockOSThread()
		}
		close(released)
		for turn := 0; goesOn; turn++ {
			select {
			case <-over:
				goesOn = false
			default:
				o.Stir(turn)
			}
		}
	})
	<-released
	id := probe.GoID() // of this goroutine, which wants a thread, too
	for end := r.Unlocking + int64(limit); !o.Visited(0) && probe.Now() < end; {
		o.Check(id, -1)
		time.Sleep(100 * time.Microsecond)
	}
	r.Alive = probe.TaskAlive(r.TID)
	close(over)
	var visitors []probe.Visit
	r.Until = probe.Now()
	r.Checks, _, visitors = o.Unwatch(0)
	if len(visitors) > 0 {
		r.First = &visitors[0]
	}
	<-ended
	return r
}
