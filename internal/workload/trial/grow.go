package trial

import (
	"flag"
	"fmt"
	"runtime"
	"sort"
	"sync"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
	"github.com/pinwatch/pinwatch/internal/workload/work"
)

// Grow is the account of the trial grow.
type Grow struct {
	Head
	Steps  []GrowStep  `json:"steps"`  // one locked goroutine more each; the first has none
	Bursts []GrowBurst `json:"bursts"` // after the goroutines of the steps have ended
}

// GrowStep is the number of threads once a number of locked goroutines wait on channels.
type GrowStep struct {
	Pins int `json:"pins"`
	probe.Census
	New []int `json:"new"` // threads that were not there at the step before, ascending
}

// GrowBurst has many goroutines that lock themselves and block, faster than threads can be made.
type GrowBurst struct {
	Kind   string    `json:"kind"`     // what they block in: channel; syscall: a read(2); c: a read(2) in a call of C
	Before []int     `json:"before"`   // threads
	Start  int64     `json:"start_ns"` // before the first go statement
	Pins   []GrowPin `json:"pins"`
	End    int64     `json:"end_ns"` // when all had begun to block
	After  []int     `json:"after"`
	probe.Census
}

// GrowPin is one of these goroutines.
type GrowPin struct {
	GoID int64 `json:"goid"`
	TID  int   `json:"tid"`
	// New means that the thread was not there before the burst, and that this is the burst's first
	// goroutine on it.
	New      bool  `json:"new"`
	Made     int64 `json:"made_ns"`     // just before its go statement
	First    int64 `json:"first_ns"`    // its first instruction
	Locked   int64 `json:"locked_ns"`   // just after LockOSThread
	Blocking int64 `json:"blocking_ns"` // just before it blocks
}

// grow makes locked goroutines that block, one by one and then all at once.
func grow(flags *flag.FlagSet) func(Self) (Result, error) {
	return Growing([]Block{
		{"channel", func(release <-chan struct{}, fd int) { <-release }},
		{"syscall", func(release <-chan struct{}, fd int) { work.ReadByte(fd) }},
	})(flags)
}

// Block is a way to wait: until release is closed, or until there is a byte in the pipe fd or its
// other end is closed. Both happen.
type Block struct {
	Kind string
	Wait func(release <-chan struct{}, fd int)
}

// Growing is the trial grow with other ways to block.
func Growing(blocks []Block) func(*flag.FlagSet) func(Self) (Result, error) {
	return func(flags *flag.FlagSet) func(Self) (Result, error) { return growing(flags, blocks) }
}

func growing(flags *flag.FlagSet, blocks []Block) func(Self) (Result, error) {
	steps := flags.Int("steps", 8, "locked goroutines made one by one, 0 or more")
	n := flags.Int("n", 12, "locked goroutines of a burst, 1 or more")
	rounds := flags.Int("rounds", 6, "bursts of each kind, 0 or more")
	settle := flags.Duration("settle", 5*time.Millisecond, "pause before threads are counted")
	lock := probe.LockFlags(flags)
	unlock := flags.Bool("unlock", false,
		"goroutines of a burst unlock themselves before they end, so that their threads stay for the next")
	return func(self Self) (Result, error) {
		if *steps < 0 || *n < 1 || *rounds < 0 {
			return nil, workload.Mistake("-n must be 1 or more, -steps and -rounds not negative")
		}
		a := &Grow{Bursts: []GrowBurst{}}
		var err error
		if a.Steps, err = growSteps(*steps, *settle, lock); err != nil {
			return nil, err
		}
		for i := 0; i < *rounds; i++ {
			for k, block := range blocks {
				last := i == *rounds-1 && k == len(blocks)-1
				burst, err := growBurst(self, block, *n, lock, *unlock, last, *settle)
				if err != nil {
					return nil, err
				}
				a.Bursts = append(a.Bursts, burst)
			}
		}
		return a, nil
	}
}

func growSteps(n int, settle time.Duration, lock *probe.Locks) ([]GrowStep, error) {
	var steps []GrowStep
	var ended sync.WaitGroup
	release := make(chan struct{})
	before := map[int]bool{}
	for pins := 0; pins <= n; pins++ {
		if pins > 0 {
			waitLocked(&ended, release, lock.Next())
		}
		time.Sleep(settle)
		census, tids, err := probe.TakeCensus()
		if err != nil {
			return nil, err
		}
		step := GrowStep{Pins: pins, Census: census, New: []int{}}
		for _, tid := range tids {
			if !before[tid] {
				step.New = append(step.New, tid)
			}
			before[tid] = true
		}
		steps = append(steps, step)
	}
	close(release)
	ended.Wait()
	return steps, nil
}

// growBurst returns when the threads that ended with the burst have left the process, and those
// that stay are idle, unless no other burst follows.
func growBurst(self Self, block Block, n int, lock *probe.Locks, unlock, last bool,
	settle time.Duration) (GrowBurst, error) {
	g := GrowBurst{Kind: block.Kind, Pins: make([]GrowPin, n)}
	var fds [2]int // its end wakes those in a read
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		return g, fmt.Errorf("make a pipe: %v", err)
	}
	defer syscall.Close(fds[0])
	var err error
	if _, g.Before, err = probe.TakeCensus(); err != nil {
		syscall.Close(fds[1])
		return g, err
	}
	var blocking, ended sync.WaitGroup
	blocking.Add(n)
	ended.Add(n)
	release := make(chan struct{})
	g.Start = probe.Now()
	for i := range g.Pins {
		p := &g.Pins[i]
		p.Made = probe.Now()
		go func() {
			p.First = probe.Now()
			defer ended.Done()
			if lock.Next() {
				runtime.LockOSThread()
			}
			p.Locked = probe.Now()
			p.TID, p.GoID = syscall.Gettid(), probe.GoID()
			if unlock || p.TID == syscall.Getpid() { // the main thread would be parked for ever
				defer runtime.UnlockOSThread()
			}
			blocking.Done()
			p.Blocking = probe.Now()
			block.Wait(release, fds[0])
		}()
	}
	blocking.Wait()
	g.End = probe.Now()
	time.Sleep(settle)
	g.Census, g.After, err = probe.TakeCensus()
	locks := make([]workload.Claim, n)
	for i := range g.Pins {
		p := &g.Pins[i] // no copy: its goroutine may still write the other fields
		locks[i] = workload.Claim{TID: p.TID, GoID: p.GoID, Depth: 1}
	}
	self.Claim(locks...)
	close(release)
	syscall.Close(fds[1])
	ended.Wait()
	g.sort()
	if !lock.Skip() && !lock.Half() && !unlock {
		g.await()
	} else if err == nil && !last {
		err = awaitIdle()
	}
	return g, err
}

// sort puts the pins into the order in which they first ran, and marks the first goroutine on each
// new thread.
func (g *GrowBurst) sort() {
	sort.Slice(g.Pins, func(i, j int) bool { return g.Pins[i].First < g.Pins[j].First })
	known := map[int]bool{}
	for _, tid := range g.Before {
		known[tid] = true
	}
	for i := range g.Pins {
		p := &g.Pins[i]
		p.New = !known[p.TID]
		known[p.TID] = true
	}
}

// awaitIdle waits a while for the threads whose goroutines have ended to sleep. The runtime uses a
// thread again only once it is idle.
func awaitIdle() error {
	_, err := probe.Bracketed(calmTries, calmPause, probe.Sleepers, func() error { return nil })
	return err
}

// await waits a while for the threads of the goroutines that ended while locked to leave the
// process.
func (g *GrowBurst) await() {
	var tids []int
	for _, p := range g.Pins {
		if p.TID != syscall.Getpid() {
			tids = append(tids, p.TID)
		}
	}
	probe.AwaitGone(tids, time.Second)
}
