package program

import (
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// Workload is a running program. Its goroutines wait for the beginning, stop when the activity is
// over, and then rest, still locked, until the process leaves. Only the set-up may call its
// exported methods, except Pause and Op.
type Workload struct {
	ops      uint64 // atomic, as the three below; first, so that they are aligned on 32-bit machines too
	handoffs uint64
	forcedGC uint64
	stops    uint64

	name string
	lock *probe.Locks // which locks are left out

	settled sync.WaitGroup // goroutines that are not ready to begin yet
	active  sync.WaitGroup // goroutines that have not come to rest yet
	begun   chan struct{}  // closed by begin
	done    chan struct{}  // closed by quiesce
	left    chan struct{}  // closed by release

	held []workload.Held
	pins []*Pin // written by Pin; each Pin's Ops belongs to its goroutine until active is through

	step func() // does what the line "step" asks for; nil = there are no steps

	mu      sync.Mutex // guards what follows, and the pins of a workload that has steps
	exits   uint64
	exitIDs []int
	wedged  int
	sites   []workload.LockSite
	locks   []workload.Lock
	foreign []int
	extra   []int

	began, ended int64 // CLOCK_MONOTONIC; 0 = not yet
	gcs          uint64
}

// Pin is a locked goroutine of the workload.
type Pin struct {
	workload.Pin
	since int64 // CLOCK_MONOTONIC: it has had its Depth at least since then
}

func newWorkload(name string, lock *probe.Locks) *Workload {
	return &Workload{name: name, lock: lock, begun: make(chan struct{}), done: make(chan struct{}),
		left: make(chan struct{})}
}

// Pin starts a goroutine that locks itself to a thread depth times, waits for the beginning, runs
// body and then rests with its locks held until the workload leaves. It returns when the goroutine
// is locked. From the beginning on, the returned Pin belongs to body.
func (w *Workload) Pin(role string, depth int, body func(*Pin)) *Pin {
	p := &Pin{Pin: workload.Pin{Depth: depth, Role: role}}
	w.pins = append(w.pins, p)
	locked := make(chan struct{})
	w.active.Add(1)
	go func() {
		for i := 0; i < depth; i++ {
			if w.lock.Next() {
				runtime.LockOSThread()
			}
		}
		p.identify()
		close(locked)
		<-w.begun
		body(p)
		w.active.Done()
		<-w.left
		for i := 0; i < p.Depth; i++ {
			runtime.UnlockOSThread() // an exit while locked would end a thread that no account has
		}
	}()
	<-locked
	return p
}

// identify fills in the ids of the calling goroutine, which has just locked itself.
func (p *Pin) identify() {
	p.TID, p.GoID, p.Entry, p.since = syscall.Gettid(), probe.GoID(), probe.Entry(), probe.Now()
}

// Run starts a goroutine that is not locked, waits for the beginning and runs body.
func (w *Workload) Run(body func()) {
	w.active.Add(1)
	w.settled.Add(1)
	go func() {
		defer w.active.Done()
		w.settled.Done()
		<-w.begun
		body()
	}()
}

// Foreign notes a thread that C code made and that never calls Go.
func (w *Workload) Foreign(tid int) { w.foreign = append(w.foreign, tid) }

// Extra notes a thread that C code made and that calls Go.
func (w *Workload) Extra(tid int) { w.extra = append(w.extra, tid) }

// Op counts n operations.
func (w *Workload) Op(n uint64) { atomic.AddUint64(&w.ops, n) }

// Pause waits for d, or less when the activity is over, and reports whether to go on.
func (w *Workload) Pause(d time.Duration) bool {
	if d <= 0 {
		return !w.isOver()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-w.done:
		return false
	case <-t.C:
		return !w.isOver()
	}
}

// isOver reports whether the activity is to end.
func (w *Workload) isOver() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// collect runs the garbage collector once.
func (w *Workload) collect() {
	runtime.GC()
	atomic.AddUint64(&w.forcedGC, 1)
}

// begin begins the activity; false = that has been done before.
func (w *Workload) begin() bool {
	if w.began != 0 || w.isOver() {
		return false
	}
	w.gcs = probe.Collections()
	w.began = probe.Now()
	close(w.begun)
	return true
}

// quiesce ends the activity, waits until every goroutine rests, and returns the account. Called
// again, it returns the same account with the threads of that moment.
func (w *Workload) quiesce() (*workload.Account, error) {
	if !w.isOver() {
		close(w.done)
		if w.began == 0 {
			close(w.begun) // every body sees at once that it is over
		}
		w.active.Wait()
		if w.began != 0 {
			w.ended = probe.Now()
			w.gcs = probe.Collections() - w.gcs
		}
	}
	return w.account()
}

func (w *Workload) account() (*workload.Account, error) {
	tids, err := probe.TaskIDs()
	if err != nil {
		return nil, err
	}
	sort.Ints(tids)
	w.mu.Lock()
	defer w.mu.Unlock()
	a := &workload.Account{
		Name: w.name, PID: syscall.Getpid(), GoVersion: runtime.Version(), GoMaxProcs: runtime.GOMAXPROCS(0),
		Start: w.began, End: w.ended,
		Ops: atomic.LoadUint64(&w.ops), Handoffs: atomic.LoadUint64(&w.handoffs),
		GCs: w.gcs, ForcedGC: atomic.LoadUint64(&w.forcedGC), Stops: atomic.LoadUint64(&w.stops),
		LockedExits: w.exits, LockedExitTIDs: append([]int{}, w.exitIDs...),
		WedgedTID: w.wedged,
		Sites:     append([]workload.LockSite{}, w.sites...), Locks: append([]workload.Lock{}, w.locks...),
		Held: append([]workload.Held{}, w.held...), Pins: []workload.Pin{}, Threads: tids,
		Foreign: append([]int{}, w.foreign...), Extra: append([]int{}, w.extra...),
	}
	for _, p := range w.pins {
		a.Pins = append(a.Pins, p.Pin)
	}
	sort.Slice(a.Sites, func(i, j int) bool { return a.Sites[i].Function < a.Sites[j].Function })
	sort.Slice(a.Pins, func(i, j int) bool { return a.Pins[i].TID < a.Pins[j].TID })
	return a, nil
}

// release lets the pinned goroutines end.
func (w *Workload) release() { close(w.left) }
