package workload

import (
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// stage is what a running workload stands on: its goroutines wait on it for the beginning, ask it whether to go on,
// and rest on it, still locked, when they are done.
type stage struct {
	ops      uint64 // atomic, as the three below; first, so that they are aligned on 32-bit machines too
	handoffs uint64
	forcedGC uint64
	stops    uint64

	name string

	settled sync.WaitGroup // goroutines that are not ready to begin yet
	active  sync.WaitGroup // goroutines that have not come to rest yet
	begun   chan struct{}  // closed by start
	done    chan struct{}  // closed by quiesce
	left    chan struct{}  // closed by leave

	pins []*Pin // written by pin; the Ops of each belong to its goroutine until active is through

	step func() // does what the line "step" asks for; nil = there are no steps

	mu      sync.Mutex // guards what follows, and the pins of a workload that has steps
	exits   uint64
	exitIDs []int
	wedged  int
	sites   []Site
	locks   []Lock
	foreign []int
	extra   []int

	began, ended int64 // CLOCK_MONOTONIC; 0 = not yet
	gcs          uint64
}

func newStage(name string) *stage {
	return &stage{name: name, begun: make(chan struct{}), done: make(chan struct{}), left: make(chan struct{})}
}

// pin starts a goroutine that locks itself to a thread depth times, waits for the beginning, runs body and then rests
// with its locks held until the workload ends. It returns when the goroutine is locked; what it returns is body's from
// the beginning on.
func (s *stage) pin(role string, depth int, body func(*Pin)) *Pin {
	p := &Pin{Depth: depth, Role: role}
	s.pins = append(s.pins, p)
	locked := make(chan struct{})
	s.active.Add(1)
	go func() {
		for i := 0; i < depth; i++ {
			runtime.LockOSThread()
		}
		p.identify()
		close(locked)
		<-s.begun
		body(p)
		s.active.Done()
		<-s.left
		for i := 0; i < p.Depth; i++ {
			runtime.UnlockOSThread() // to exit while locked would end a thread that no account tells of
		}
	}()
	<-locked
	return p
}

// identify notes who and where the calling goroutine is, which has just locked itself.
func (p *Pin) identify() {
	p.TID, p.GoID, p.Entry, p.since = syscall.Gettid(), goid(), entry(), monotonic()
}

// run starts a goroutine that is not locked, waits for the beginning and runs body.
func (s *stage) run(body func()) {
	s.active.Add(1)
	s.settled.Add(1)
	go func() {
		defer s.active.Done()
		s.settled.Done()
		<-s.begun
		body()
	}()
}

// over says whether the activity is to end.
func (s *stage) over() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// pause waits for d, or less when the activity is to end, and says whether to go on.
func (s *stage) pause(d time.Duration) bool {
	if d <= 0 {
		return !s.over()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-s.done:
		return false
	case <-t.C:
		return !s.over()
	}
}

// collect runs the garbage collector once.
func (s *stage) collect() {
	runtime.GC()
	atomic.AddUint64(&s.forcedGC, 1)
}

// endThread makes one thread other than the main one end: a goroutine locks itself to it and exits. It returns when
// the thread has left the process. atEnd, unless nil, runs on the thread just before.
func (s *stage) endThread(atEnd func()) {
	ids := make(chan int)
	go s.exitLocked(ids, atEnd)
	id := <-ids
	for taskAlive(id) {
		time.Sleep(50 * time.Microsecond)
	}
	s.mu.Lock()
	s.exits++
	if len(s.exitIDs) < maxKept {
		s.exitIDs = append(s.exitIDs, id)
	}
	s.mu.Unlock()
}

// exitLocked exits while locked and sends the id of the thread that dies of it. The main thread would not die but be
// parked for ever (runtime.mexit); where it lands there, it holds it while another goroutine, which cannot land there
// then, takes its place.
func (s *stage) exitLocked(ids chan<- int, atEnd func()) {
	s.locking()
	runtime.LockOSThread()
	id := syscall.Gettid()
	if id == syscall.Getpid() {
		defer runtime.UnlockOSThread()
		inner := make(chan int)
		go s.exitLocked(inner, atEnd)
		ids <- <-inner
		return
	}
	if atEnd != nil {
		atEnd()
	}
	ids <- id
}

// start begins the activity; it returns false when that has been done before.
func (s *stage) start() bool {
	if s.began != 0 || s.over() {
		return false
	}
	s.gcs = collections()
	s.began = monotonic()
	close(s.begun)
	return true
}

// quiesce ends the activity, waits until every goroutine rests, and gives the account. Asked again, it gives the same
// account with the threads of that moment.
func (s *stage) quiesce() (*Account, error) {
	if !s.over() {
		close(s.done)
		if s.began == 0 {
			close(s.begun) // every body sees at once that it is over
		}
		s.active.Wait()
		if s.began != 0 {
			s.ended = monotonic()
			s.gcs = collections() - s.gcs
		}
	}
	return s.account()
}

func (s *stage) account() (*Account, error) {
	tids, err := taskIDs()
	if err != nil {
		return nil, err
	}
	sort.Ints(tids)
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &Account{
		Name: s.name, PID: syscall.Getpid(), GoVersion: runtime.Version(), GoMaxProcs: runtime.GOMAXPROCS(0),
		Start: s.began, End: s.ended,
		Ops: atomic.LoadUint64(&s.ops), Handoffs: atomic.LoadUint64(&s.handoffs),
		GCs: s.gcs, ForcedGC: atomic.LoadUint64(&s.forcedGC), Stops: atomic.LoadUint64(&s.stops),
		LockedExits: s.exits, LockedExitTIDs: append([]int{}, s.exitIDs...),
		WedgedTID: s.wedged,
		Sites:     append([]Site{}, s.sites...), Locks: append([]Lock{}, s.locks...),
		Pins: []Pin{}, Threads: tids,
		Foreign: append([]int{}, s.foreign...), Extra: append([]int{}, s.extra...),
	}
	for _, p := range s.pins {
		a.Pins = append(a.Pins, *p)
	}
	sort.Slice(a.Sites, func(i, j int) bool { return a.Sites[i].Function < a.Sites[j].Function })
	sort.Slice(a.Pins, func(i, j int) bool { return a.Pins[i].TID < a.Pins[j].TID })
	return a, nil
}

// leave lets the pinned goroutines go.
func (s *stage) leave() { close(s.left) }
