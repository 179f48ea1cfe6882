package trial

import (
	"flag"
	"os"
	"runtime"
	"strconv"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
	"github.com/pinwatch/pinwatch/internal/workload/work"
)

// LockCost is the account of the trial lockcost. All costs are nanoseconds a call, a sample a batch
// of calls in a row, in the order they were taken. If the goroutine is preempted in a batch, the
// sample includes that.
type LockCost struct {
	Head
	Firsts []FirstLock `json:"firsts"` // each of a process of its own
	Batch  int         `json:"batch"`  // calls in a batch
	Lock   []Cost      `json:"lock"`   // LockOSThread, of a goroutine that is locked but for the batch's first call
	Unlock []Cost      `json:"unlock"` // UnlockOSThread, of one that stays locked but for the batch's last call
	Pair   []Cost      `json:"pair"`   // LockOSThread and UnlockOSThread of a goroutine that is not locked
	Empty  []Cost      `json:"empty"`  // the loop with a call that does nothing
}

// Cost is a batch's share for one call.
type Cost struct {
	Wall float64 `json:"wall_ns"`
	CPU  float64 `json:"cpu_ns"` // of the thread
}

// FirstLock is the first LockOSThread call of a process, then the second, of another goroutine.
type FirstLock struct {
	PID    int   `json:"pid"`
	Start  int64 `json:"start_ns"` // of the first call
	Wall   int64 `json:"wall_ns"`
	CPU    int64 `json:"cpu_ns"`
	Second int64 `json:"second_wall_ns"`
	Clock  int64 `json:"clock_ns"` // what the two readings of a clock around a call cost; part of Wall and Second

	Before int `json:"tasks_before"` // threads before the first call
	During int `json:"tasks_during"` // just after it
	After  int `json:"tasks_after"`  // a while after it
}

// firstLock is the account of such a process.
type firstLock struct {
	Head
	First FirstLock `json:"first"`
}

// lockcost times LockOSThread and UnlockOSThread.
func lockcost(flags *flag.FlagSet) func(Self) (Result, error) {
	n := flags.Int("n", 500, "batches, 1 or more")
	batch := flags.Int("batch", 1000, "calls in a batch, 1 or more")
	children := flags.Int("firsts", 15, "processes whose first call is timed, 0 or more")
	lock := probe.LockFlags(flags)
	slow := flags.Int("slow", 0, "rounds of arithmetic to add to each call, about a nanosecond each")
	first := flags.Bool("in-child", false, "be one of these processes")
	return func(self Self) (Result, error) {
		if *n < 1 || *batch < 1 || *children < 0 || *slow < 0 {
			return nil, workload.Mistake("-n and -batch must be 1 or more, -firsts and -slow not negative")
		}
		calls := newLockCalls(lock, *slow)
		if *first {
			return calls.first()
		}
		a := &LockCost{Batch: *batch, Firsts: []FirstLock{}}
		for i := 0; i < *children; i++ {
			var f firstLock
			if err := self.child(nil, &f, "lockcost", "-in-child",
				lock.Args()[0], lock.Args()[1], "-slow="+strconv.Itoa(*slow)); err != nil {
				return nil, err
			}
			a.Firsts = append(a.Firsts, f.First)
		}
		calls.batches(self, a, *n)
		return a, nil
	}
}

// lockCalls are the calls to time, or what replaces them.
type lockCalls struct{ lock, unlock, none func() }

func newLockCalls(locks *probe.Locks, slow int) lockCalls {
	c := lockCalls{lock: runtime.LockOSThread, unlock: runtime.UnlockOSThread, none: func() {}}
	if locks.Skip() {
		c.lock, c.unlock = c.none, c.none
	} else if locks.Half() {
		c.lock = func() {
			if locks.Next() {
				runtime.LockOSThread()
			}
		}
	}
	if slow > 0 {
		lock, unlock := c.lock, c.unlock
		c.lock = func() { work.Spin(slow); lock() }
		c.unlock = func() { work.Spin(slow); unlock() }
	}
	return c
}

// first times the first call of this process.
func (c lockCalls) first() (Result, error) {
	f := FirstLock{PID: os.Getpid()}
	before, _, err := probe.TakeCensus()
	if err != nil {
		return nil, err
	}
	f.Before = before.Tasks
	cpu := probe.ThreadCPU()
	f.Start = probe.Now()
	c.lock()
	f.Wall = probe.Now() - f.Start
	f.CPU = probe.ThreadCPU() - cpu
	during, _, err := probe.TakeCensus()
	if err != nil {
		return nil, err
	}
	f.During = during.Tasks
	second := make(chan int64)
	go func() {
		start := probe.Now()
		c.lock()
		second <- probe.Now() - start
		c.unlock()
	}()
	f.Second = <-second
	c.unlock()
	for i := 0; i < 100; i++ {
		start := probe.Now()
		if d := probe.Now() - start; i == 0 || d < f.Clock {
			f.Clock = d
		}
	}
	after, _, err := probe.TakeCensus()
	f.After = after.Tasks
	return &firstLock{First: f}, err
}

// batches takes the samples, one of each kind in turn, so that a disturbance meets all kinds.
func (c lockCalls) batches(self Self, a *LockCost, n int) {
	pair := func() { c.lock(); c.unlock() }
	for i := 0; i < n; i++ {
		a.Lock = append(a.Lock, Time(a.Batch, c.lock))
		if i == 0 {
			self.Claim(Hold(a.Batch))
		}
		a.Unlock = append(a.Unlock, Time(a.Batch, c.unlock))
		if i == 0 {
			self.Claim(Hold(0))
		}
		a.Pair = append(a.Pair, Time(a.Batch, pair))
		a.Empty = append(a.Empty, Time(a.Batch, c.none))
	}
}

// Time times a batch of n calls of f in a row.
func Time(n int, f func()) Cost {
	cpu, wall := probe.ThreadCPU(), probe.Now()
	for i := 0; i < n; i++ {
		f()
	}
	wall = probe.Now() - wall
	return Cost{Wall: float64(wall) / float64(n), CPU: float64(probe.ThreadCPU()-cpu) / float64(n)}
}
