package trial

import (
	"flag"
	"runtime"
	"sort"
	"sync"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
	"github.com/pinwatch/pinwatch/internal/workload/work"
)

// Inherit is the account of the trial inherit.
type Inherit struct {
	Head
	Before []int               `json:"before"` // threads before a goroutine, locked to one of them, altered that thread
	Origin probe.ThreadState   `json:"origin"` // that thread before
	Other  probe.ThreadState   `json:"other"`  // that thread after
	Born   []BornThread        `json:"born"`   // the threads of goroutines that this one started and that all blocked
	All    []probe.ThreadState `json:"all"`    // every thread then, read from another thread
	Kept   []KeptThread        `json:"kept"`   // locked and not, in turn
}

// KeptThread is the state of a thread before and after its goroutine locked itself, and the CPUs it
// ran on from then on.
type KeptThread struct {
	Locked  bool              `json:"locked"` // before any flag that leaves calls out
	Before  probe.ThreadState `json:"before"`
	After   probe.ThreadState `json:"after"`
	Last    probe.ThreadState `json:"last"` // after the samples
	Samples int               `json:"samples"`
	CPUs    []CPUCount        `json:"cpus"`   // of the samples, ascending
	Moves   int               `json:"moves"`  // samples on another CPU than the sample before
	TIDs    []probe.TIDCount  `json:"tids"`   // of the samples, ascending
	Pushed  []Push            `json:"pushed"` // of a locked one, after the samples: to every CPU it may use
}

// Push is one call that confined a thread to one CPU.
type Push struct {
	To   int `json:"to"`
	CPU  int `json:"cpu"` // where the goroutine then ran
	TID  int `json:"tid"`
	Node int `json:"node"` // memory node of that CPU, -1 = unknown
	Page int `json:"page"` // memory node of a page that the goroutine then used first, -1 = unknown
}

// CPUCount is how many samples were on a CPU.
type CPUCount struct {
	CPU int    `json:"cpu"`
	N   uint64 `json:"n"`
}

// BornThread is the thread that a goroutine began on.
type BornThread struct {
	GoID  int64             `json:"goid"`
	At    int64             `json:"at_ns"`
	New   bool              `json:"new"` // it was not there before
	State probe.ThreadState `json:"state"`
}

// inherit compares a thread before and after a lock, and finds threads that inherit what a
// locked goroutine changes about its thread.
func inherit(flags *flag.FlagSet) func(Self) (Result, error) {
	n := flags.Int("n", 4, "threads whose state is kept, every other one locked; 1 or more")
	samples := flags.Int("samples", 1000, "samples of the CPU, 1 or more")
	children := flags.Int("children", 12, "goroutines started by the one that altered its thread, 1 or more")
	lock := probe.LockFlags(flags)
	still := flags.Bool("no-push", false, "do not have the kernel move threads")
	alter := flags.Bool("alter", false, "change the state of a thread between the lock and the reading after it")
	return func(self Self) (Result, error) {
		if *n < 1 || *samples < 1 || *children < 1 {
			return nil, workload.Mistake("-n, -samples and -children must be 1 or more")
		}
		a := &Inherit{}
		if err := a.alterThread(*children, lock.Next()); err != nil { // first: there are few threads that could be used again
			return nil, err
		}
		for i := 0; i < *n; i++ {
			k, err := keepThread(self, i%2 == 0, *samples, lock, *alter, !*still)
			if err != nil {
				return nil, err
			}
			a.Kept = append(a.Kept, k)
		}
		return a, nil
	}
}

// keepThread samples the thread of a new goroutine. More threads than there are CPUs want one, so
// that the kernel has a reason to move them.
func keepThread(self Self, locked bool, samples int, lock *probe.Locks, alter, push bool) (KeptThread, error) {
	k := KeptThread{Locked: locked, Samples: samples, Pushed: []Push{}}
	errs := make(chan error)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2 * runtime.NumCPU()))
	o := probe.StartOthers(4)
	defer o.Stop()
	defer hogs(2 * runtime.NumCPU())()
	go func() {
		k.Before = probe.CallerState()
		if locked && lock.Next() {
			runtime.LockOSThread()
		}
		if alter {
			errs <- probe.AlterCaller()
		} else {
			errs <- nil
		}
		k.After = probe.CallerState()
		if locked {
			self.Claim(Hold(1))
		}
		k.sample(o, samples)
		k.Last = probe.CallerState()
		var err error
		if locked && push {
			err = k.push()
		}
		runtime.UnlockOSThread()
		errs <- err
	}()
	if err := <-errs; err != nil {
		return k, err
	}
	return k, <-errs
}

// push has the kernel move the calling thread to each CPU that it may use.
func (k *KeptThread) push() error {
	allowed, err := probe.Affinity()
	if err != nil {
		return err
	}
	for _, cpu := range allowed.List() {
		if err := probe.SetAffinity(0, probe.OneCPU(cpu)); err != nil {
			return err
		}
		k.Pushed = append(k.Pushed, Push{To: cpu, CPU: probe.CurrentCPU(), TID: syscall.Gettid(),
			Node: probe.CurrentNode(), Page: probe.FreshPageNode()})
	}
	return probe.SetAffinity(0, allowed)
}

// hogs has n goroutines use CPUs for short times until stop.
func hogs(n int) (stop func()) {
	done := make(chan struct{})
	var ended sync.WaitGroup
	ended.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			defer ended.Done()
			for !closed(done) {
				work.Spin(100000)
				work.Nap(50e3)
			}
		}()
	}
	return func() {
		close(done)
		ended.Wait()
	}
}

func (k *KeptThread) sample(o *probe.Others, samples int) {
	cpus, tids := map[int]uint64{}, map[int]uint64{}
	last := -1
	for i := 0; i < samples; i++ {
		o.Stir(i)
		cpu := probe.CurrentCPU()
		if last >= 0 && cpu != last {
			k.Moves++
		}
		last = cpu
		cpus[cpu]++
		tids[syscall.Gettid()]++
	}
	for cpu, n := range cpus {
		k.CPUs = append(k.CPUs, CPUCount{CPU: cpu, N: n})
	}
	sort.Slice(k.CPUs, func(i, j int) bool { return k.CPUs[i].CPU < k.CPUs[j].CPU })
	k.TIDs = probe.CountTIDs(tids)
}

// alterThread has a goroutine alter its thread, which is not the main one and ends with it, and
// start others that all block.
func (a *Inherit) alterThread(children int, lock bool) error {
	_, before, err := probe.TakeCensus()
	if err != nil {
		return err
	}
	a.Before = before
	errs := make(chan error)
	probe.OffMain(func() {
		if !lock {
			runtime.UnlockOSThread()
		}
		a.Origin = probe.CallerState()
		if err := probe.AlterCaller(); err != nil {
			errs <- err
			return
		}
		a.Other = probe.CallerState()
		a.bear(children)
		errs <- nil
	})
	return <-errs
}

// bear starts goroutines that note the threads they begin on and block there, so that they need new
// ones.
func (a *Inherit) bear(n int) {
	known := map[int]bool{}
	for _, tid := range a.Before {
		known[tid] = true
	}
	a.Born = make([]BornThread, n)
	var begun, ended sync.WaitGroup
	begun.Add(n)
	ended.Add(n)
	release := make(chan struct{})
	for i := range a.Born {
		born := &a.Born[i]
		go func() {
			defer ended.Done()
			born.At, born.GoID, born.State = probe.Now(), probe.GoID(), probe.CallerState()
			born.New = !known[born.State.TID]
			begun.Done()
			for !closed(release) {
				work.Nap(int64(20 * time.Millisecond))
			}
		}()
	}
	begun.Wait()
	if _, tids, err := probe.TakeCensus(); err == nil {
		for _, tid := range tids {
			a.All = append(a.All, probe.StateOf(tid))
		}
	}
	close(release)
	ended.Wait()
}
