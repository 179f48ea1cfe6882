package trial

import (
	"flag"
	"math"
	"runtime"
	"sort"
	"sync"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
	"github.com/pinwatch/pinwatch/internal/workload/work"
)

// Overpin is the account of the trial overpin.
type Overpin struct {
	Head
	Workers int         `json:"workers"`
	Rounds  []OverRound `json:"rounds"` // with every worker locked, with as many as there are Ps, and with none, in turn
}

// OverRound is a number of bursts of work: one item for each worker, all at once.
type OverRound struct {
	Locked int   `json:"locked"` // workers that are locked
	From   int64 `json:"from_ns"`
	To     int64 `json:"to_ns"`

	// Waits are the times from just before an item is sent to its worker's first instruction after
	// it. They ascend; at most 2000 are kept, evenly chosen.
	Waits []int64 `json:"waits_ns"`

	// Latencies is the increase of /sched/latencies:seconds: how long goroutines were runnable
	// before they ran. The runtime samples one in eight. null = this release has no such metric. It
	// has only buckets with a count.
	Latencies []Bucket `json:"latencies"`
}

// Bucket is a bucket of a histogram of runtime/metrics.
type Bucket struct {
	From *float64 `json:"from"` // null = minus infinity
	To   *float64 `json:"to"`   // exclusive; null = infinity
	N    uint64   `json:"n"`
}

const maxSamples = 2000

// overpin gives more work to more locked goroutines than there are CPUs.
func overpin(flags *flag.FlagSet) func(Self) (Result, error) {
	rounds := flags.Int("rounds", 12, "rounds, two of three with locked workers; 1 or more")
	n := flags.Int("workers", 32, "workers, 1 or more")
	bursts := flags.Int("bursts", 50, "bursts in a round, 1 or more")
	item := flags.Int("work", 20000, "rounds of arithmetic for an item, about a nanosecond each")
	lock := probe.LockFlags(flags)
	return func(self Self) (Result, error) {
		if *rounds < 1 || *n < 1 || *bursts < 1 || *item < 0 {
			return nil, workload.Mistake("-rounds, -workers and -bursts must be 1 or more and -work not negative")
		}
		a := &Overpin{Workers: *n}
		for i := 0; i < *rounds; i++ {
			locked := []int{*n, runtime.GOMAXPROCS(0), 0}[i%3]
			if locked > *n {
				locked = *n
			}
			r := OverRound{Locked: locked}
			r.run(self, *n, *bursts, *item, lock)
			a.Rounds = append(a.Rounds, r)
		}
		return a, nil
	}
}

func (r *OverRound) run(self Self, n, bursts, item int, lock *probe.Locks) {
	var ready, worked, ended sync.WaitGroup
	ready.Add(n)
	ended.Add(n)
	items := make([]chan int64, n)
	locks := make([]workload.Claim, r.Locked)
	waits := make([][]int64, n)
	for i := range items {
		items[i] = make(chan int64, 1)
		go func(i int) {
			defer ended.Done()
			if i < r.Locked {
				if lock.Next() {
					runtime.LockOSThread()
				}
				defer runtime.UnlockOSThread()
				locks[i] = Hold(1)
			}
			ready.Done()
			for sent := range items[i] {
				waits[i] = append(waits[i], probe.Now()-sent)
				work.Spin(item)
				worked.Done()
			}
		}(i)
	}
	ready.Wait()
	if r.Locked > 0 {
		self.Claim(locks...)
	}
	before, known := probe.SchedLatencies()
	r.From = probe.Now()
	for i := 0; i < bursts; i++ {
		worked.Add(n)
		for _, c := range items {
			c <- probe.Now()
		}
		worked.Wait()
	}
	r.To = probe.Now()
	if after, _ := probe.SchedLatencies(); known {
		r.Latencies = gained(before, after)
	}
	for _, c := range items {
		close(c)
	}
	ended.Wait()
	for _, list := range waits {
		r.Waits = append(r.Waits, list...)
	}
	r.Waits = thin(r.Waits)
}

// thin sorts samples and keeps at most maxSamples, with the least and the greatest.
func thin(list []int64) []int64 {
	sort.Slice(list, func(i, j int) bool { return list[i] < list[j] })
	if len(list) <= maxSamples {
		return list
	}
	kept := make([]int64, maxSamples)
	for i := range kept {
		kept[i] = list[i*(len(list)-1)/(maxSamples-1)]
	}
	return kept
}

// gained lists the increase of a histogram.
func gained(before, after probe.Histogram) []Bucket {
	list := []Bucket{}
	for i, n := range after.Counts {
		if i < len(before.Counts) {
			n -= before.Counts[i]
		}
		if n > 0 {
			list = append(list, Bucket{From: finite(after.Buckets[i]), To: finite(after.Buckets[i+1]), N: n})
		}
	}
	return list
}

// finite is nil for an infinity, which JSON has no number for.
func finite(x float64) *float64 {
	if math.IsInf(x, 0) {
		return nil
	}
	return &x
}
