package workload

import (
	"flag"
	"fmt"
	"runtime"
	"sort"
	"sync"
	"syscall"
	"time"
)

// Inherit is the account of the trial inherit.
type Inherit struct {
	Head
	Before []int         `json:"before"` // threads before a goroutine, locked to one of them, altered its own
	Origin ThreadState   `json:"origin"` // that thread before
	Other  ThreadState   `json:"other"`  // and after
	Born   []BornThread  `json:"born"`   // the threads of goroutines that this one started and that all blocked
	All    []ThreadState `json:"all"`    // every thread then, seen from outside
	Kept   []KeptThread  `json:"kept"`   // locked and not, in turn
}

// KeptThread is the state of a thread before and after its goroutine locked itself, and the CPUs it ran on from then on.
type KeptThread struct {
	Locked bool        `json:"locked"` // before any flag that leaves calls out
	Before ThreadState `json:"before"`
	After  ThreadState `json:"after"`
	Last   ThreadState `json:"last"` // after the looks
	Looks  int         `json:"looks"`
	CPUs   []CPUCount  `json:"cpus"`   // by looks, ascending
	Moves  int         `json:"moves"`  // looks that found another CPU than the look before
	TIDs   []TIDCount  `json:"tids"`   // by looks, ascending
	Pushed []Push      `json:"pushed"` // of a locked one, after the looks: to every CPU it may use
}

// Push is a thread that the kernel was told to run on one CPU.
type Push struct {
	To  int `json:"to"`
	CPU int `json:"cpu"` // where the goroutine then found itself
	TID int `json:"tid"`
}

// CPUCount is how often somebody found himself on a CPU.
type CPUCount struct {
	CPU int    `json:"cpu"`
	N   uint64 `json:"n"`
}

// BornThread is the thread that a goroutine began on.
type BornThread struct {
	GoID  int64       `json:"goid"`
	At    int64       `json:"at_ns"`
	New   bool        `json:"new"` // it was not there before
	State ThreadState `json:"state"`
}

// inherit looks what a lock changes about a thread, and who else gets what a locked goroutine changes about its own.
func inherit(flags *flag.FlagSet) func(Self) (Result, error) {
	n := flags.Int("n", 4, "threads whose state is kept, every other one locked; 1 or more")
	looks := flags.Int("looks", 1000, "looks at the CPU, 1 or more")
	children := flags.Int("children", 12, "goroutines started by the one that altered its thread, 1 or more")
	skip := flags.Bool("skip-lock", false, "leave out LockOSThread")
	still := flags.Bool("no-push", false, "do not tell the kernel to move threads")
	alter := flags.Bool("alter", false, "change the state of a thread between the lock and the look after it")
	return func(Self) (Result, error) {
		if *n < 1 || *looks < 1 || *children < 1 {
			return nil, Mistake("-n, -looks and -children must be 1 or more")
		}
		a := &Inherit{}
		if err := a.alterThread(*children, *skip); err != nil { // first, as there are few threads that could be used again
			return nil, err
		}
		for i := 0; i < *n; i++ {
			k, err := keepThread(i%2 == 0, *looks, *skip, *alter, !*still)
			if err != nil {
				return nil, err
			}
			a.Kept = append(a.Kept, k)
		}
		return a, nil
	}
}

// keepThread looks at the thread of a new goroutine. More threads than there are CPUs want one, so that the kernel has a reason
// to move them.
func keepThread(locked bool, looks int, skip, alter, push bool) (KeptThread, error) {
	k := KeptThread{Locked: locked, Looks: looks, Pushed: []Push{}}
	errs := make(chan error)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2 * runtime.NumCPU()))
	b := newBystanders(4)
	defer b.leave()
	defer hogs(2 * runtime.NumCPU())()
	go func() {
		k.Before = ownState()
		if locked && !skip {
			runtime.LockOSThread()
		}
		if alter {
			errs <- alterState()
		} else {
			errs <- nil
		}
		k.After = ownState()
		k.look(b, looks)
		k.Last = ownState()
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
	allowed, err := affinity()
	if err != nil {
		return err
	}
	for _, cpu := range allowed.list() {
		var one cpuSet
		one[cpu/64] = 1 << uint(cpu%64)
		if err := setAffinity(0, &one); err != nil {
			return err
		}
		k.Pushed = append(k.Pushed, Push{To: cpu, CPU: currentCPU(), TID: syscall.Gettid()})
	}
	return setAffinity(0, allowed)
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
				spin(100000)
				nap(50e3)
			}
		}()
	}
	return func() {
		close(done)
		ended.Wait()
	}
}

func (k *KeptThread) look(b *bystanders, looks int) {
	cpus, tids := map[int]uint64{}, map[int]uint64{}
	last := -1
	for i := 0; i < looks; i++ {
		b.stir(i)
		cpu := currentCPU()
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
	k.TIDs = counts(tids)
}

// alterThread has a goroutine alter its thread, which is not the main one and dies with it, and start others that all block.
func (a *Inherit) alterThread(children int, skip bool) error {
	_, before, err := census()
	if err != nil {
		return err
	}
	a.Before = before
	errs := make(chan error)
	offMain(func() {
		if skip {
			runtime.UnlockOSThread()
		}
		a.Origin = ownState()
		if err := alterState(); err != nil {
			errs <- err
			return
		}
		a.Other = ownState()
		a.bear(children)
		errs <- nil
	})
	return <-errs
}

// bear starts goroutines that note the threads they begin on and block there, so that they need new ones.
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
			born.At, born.GoID, born.State = monotonic(), goid(), ownState()
			born.New = !known[born.State.TID]
			begun.Done()
			for !closed(release) {
				nap(int64(20 * time.Millisecond))
			}
		}()
	}
	begun.Wait()
	if _, tids, err := census(); err == nil {
		for _, tid := range tids {
			a.All = append(a.All, stateOf(tid))
		}
	}
	close(release)
	ended.Wait()
}

// alterState changes all that Inherit looks at about the calling thread.
func alterState() error {
	allowed, err := affinity()
	if err != nil {
		return err
	}
	var one cpuSet
	cpu := allowed.list()[0]
	one[cpu/64] = 1 << uint(cpu%64)
	if err := setAffinity(0, &one); err != nil {
		return err
	}
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), niceOf(0)+1); err != nil {
		return fmt.Errorf("set nice: %v", err)
	}
	if err := setPolicy(schedBatch); err != nil {
		return err
	}
	return setMemoryPolicy(mpolBind, 1)
}
