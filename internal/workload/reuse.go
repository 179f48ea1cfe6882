package workload

import (
	"flag"
	"runtime"
	"time"
)

// Reuse is the account of the trial reuse.
type Reuse struct {
	Head
	Limit  int64        `json:"limit_ns"` // how long a released thread was watched at most
	Rounds []ReuseRound `json:"rounds"`
}

// ReuseRound is a thread, not the main one, that a goroutine releases and, if it goes on, comes back to by chance only.
type ReuseRound struct {
	Bystanders int    `json:"bystanders"` // goroutines that want a thread, beside one that wakes up now and then
	GoesOn     bool   `json:"goes_on"`    // the goroutine lives on, else it ended when it had unlocked itself
	GoID       int64  `json:"goid"`
	TID        int    `json:"tid"`
	Before     uint64 `json:"before"`       // visits of others while it was locked
	Unlocking  int64  `json:"unlocking_ns"` // just before UnlockOSThread
	First      *Visit `json:"first"`        // of others from then on, found by a look; null = none until Until
	Until      int64  `json:"until_ns"`
	Looks      uint64 `json:"looks"` // of others, until then
	Alive      bool   `json:"alive"` // the thread was in /proc/self/task then
}

// reuse has goroutines release their threads and looks who runs there next.
func reuse(flags *flag.FlagSet) func(Self) (Result, error) {
	n := flags.Int("n", 24, "threads released while there are few bystanders, and while there are many; 1 or more")
	limit := flags.Duration("watch", 50*time.Millisecond, "how long to wait for a thread's next goroutine, more than 0")
	skip := flags.Bool("skip-unlock", false, "leave out UnlockOSThread")
	return func(Self) (Result, error) {
		if *n < 1 || *limit <= 0 {
			return nil, Mistake("-n must be 1 or more and -watch more than 0")
		}
		a := &Reuse{Limit: int64(*limit)}
		for _, others := range []int{1, 6} {
			b := newBystanders(others)
			for i := 0; i < *n; i++ {
				r := b.reuseRound(*limit, i%2 == 1, *skip)
				r.Bystanders = others
				a.Rounds = append(a.Rounds, r)
			}
			b.leave()
		}
		return a, nil
	}
}

func (b *bystanders) reuseRound(limit time.Duration, goesOn, skip bool) ReuseRound {
	r := ReuseRound{GoesOn: goesOn}
	released, over, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	offMain(func() {
		defer close(ended)
		s := b.stretch(0, 1, 20)
		r.GoID, r.TID, r.Before = s.GoID, s.TID, s.Visits
		b.set(0, r.TID)
		r.Unlocking = monotonic()
		if !skip {
			runtime.UnlockOSThread()
		}
		close(released)
		for turn := 0; goesOn; turn++ {
			select {
			case <-over:
				goesOn = false
			default:
				b.stir(turn)
			}
		}
	})
	<-released
	id := goid() // we want a thread, too
	for end := r.Unlocking + int64(limit); !b.visited(0) && monotonic() < end; {
		b.look(id, -1)
		time.Sleep(100 * time.Microsecond)
	}
	r.Alive = taskAlive(r.TID)
	close(over)
	var visitors []Visit
	r.Until = monotonic()
	r.Looks, _, visitors = b.clear(0)
	if len(visitors) > 0 {
		r.First = &visitors[0]
	}
	<-ended
	return r
}

// visited says whether a visit to what the slot watches has been counted.
func (b *bystanders) visited(slot int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.watch[slot].visits > 0
}
