package workload

import (
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// Stretch is what a goroutine saw of its thread from From to To, and what others did. Before every look at its thread the
// goroutine yields, sleeps, blocks or hands off. It looks first at From, when it has named its thread, and at To for the
// last time; it had the locks a little before and after that.
type Stretch struct {
	GoID  int64 `json:"goid"`
	TID   int   `json:"tid"`   // its thread at From
	Locks int   `json:"locks"` // LockOSThread calls that wait for their UnlockOSThread, before any flag that leaves calls out
	From  int64 `json:"from_ns"`
	To    int64 `json:"to_ns"`

	Samples uint64     `json:"samples"` // looks at its own thread
	Moves   uint64     `json:"moves"`   // of these, on another thread than the look before
	Strange uint64     `json:"strange"` // of these, on a thread that had not the name last given by this goroutine; it gave its own again
	TIDs    []TIDCount `json:"tids"`    // all of them, ascending

	Looks    uint64  `json:"looks"`    // other goroutines' looks at theirs; each then names the thread, as a trap
	Visits   uint64  `json:"visits"`   // of these, on TID
	Visitors []Visit `json:"visitors"` // the first 8
}

// TIDCount is how often somebody found himself on a thread.
type TIDCount struct {
	TID int    `json:"tid"`
	N   uint64 `json:"n"`
}

// Visit is a goroutine that found itself on a thread.
type Visit struct {
	GoID int64 `json:"goid"`
	TID  int   `json:"tid"`
	At   int64 `json:"at_ns"`
}

const maxVisitors = 8

// watchers is how many stretches there may be at a time.
const watchers = 8

// bystanders are goroutines, not locked, that go from thread to thread and look who else is there.
type bystanders struct {
	watch [watchers]watch // first, so that it is aligned on 32-bit machines too
	ping  chan struct{}
	pong  chan struct{}
	stop  chan struct{}
	ended sync.WaitGroup
	mu    sync.Mutex // guards the watches
}

// watch is a thread that others are looked for on. The number of the stretch tells one from the next on the same thread.
type watch struct {
	what     uint64 // number of the stretch << 32 | thread id; 0 = nothing; atomic, so that it can be read without the lock
	looks    uint64
	visits   uint64
	visitors []Visit
}

func newBystanders(n int) *bystanders {
	b := &bystanders{ping: make(chan struct{}), pong: make(chan struct{}), stop: make(chan struct{})}
	go func() {
		for range b.ping {
			b.pong <- struct{}{}
		}
	}()
	b.ended.Add(n)
	for i := 0; i < n; i++ {
		go func(i int) {
			defer b.ended.Done()
			id, own := goid(), nameOf("by", i)
			for turn := i; ; turn++ {
				select {
				case <-b.stop:
					return
				default:
				}
				b.look(id, -1)
				setThreadName(&own)
				b.stir(turn)
			}
		}(i)
	}
	return b
}

// leave ends them.
func (b *bystanders) leave() {
	close(b.stop)
	b.ended.Wait()
	close(b.ping)
}

// look compares the calling goroutine's thread with those watched, but for one's own watch. A stretch that ends or begins
// meanwhile is left out: which thread was taken when would be unknown.
func (b *bystanders) look(id int64, own int) {
	var before [watchers]uint64
	for i := range before {
		before[i] = atomic.LoadUint64(&b.watch[i].what)
	}
	tid := syscall.Gettid()
	for i, what := range before {
		if i != own && what != 0 {
			b.note(&b.watch[i], what, Visit{GoID: id, TID: tid})
		}
	}
}

// note counts a look that began while what was watched, if it is now, too.
func (b *bystanders) note(w *watch, what uint64, v Visit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w.what != what {
		return
	}
	w.looks++
	if uint32(what) == uint32(v.TID) {
		w.visits++
		if len(w.visitors) < maxVisitors {
			v.At = monotonic()
			w.visitors = append(w.visitors, v)
		}
	}
}

// stir gives the scheduler a reason to move the calling goroutine, another one each turn.
func (b *bystanders) stir(turn int) {
	switch turn % 6 {
	case 0, 3:
		runtime.Gosched()
	case 1:
		time.Sleep(20 * time.Microsecond)
	case 2:
		nap(20e3) // soon over
	case 4:
		b.ping <- struct{}{}
		<-b.pong
	case 5:
		nap(150e3) // so long that the P may be taken away
	}
}

// stretch is a stretch of the calling goroutine with n looks at its thread; slot is its watch, of no other stretch meanwhile.
func (b *bystanders) stretch(slot, locks, n int) Stretch {
	s := Stretch{GoID: goid(), Locks: locks}
	tids := map[int]uint64{}
	former, own := threadName(), nameOf("st", slot)
	setThreadName(&own)
	s.TID, s.From = syscall.Gettid(), monotonic()
	b.set(slot, s.TID)
	last := s.TID
	for i := 0; i < n; i++ {
		b.stir(i)
		tid := syscall.Gettid()
		tids[tid]++
		if tid != last {
			s.Moves++
			last = tid
		}
		if threadName() != own {
			s.Strange++
			setThreadName(&own)
		}
		b.look(s.GoID, slot)
	}
	s.Samples = uint64(n)
	s.To = monotonic()
	s.Looks, s.Visits, s.Visitors = b.clear(slot)
	setThreadName(&former)
	s.TIDs = counts(tids)
	return s
}

// set begins to watch a thread.
func (b *bystanders) set(slot, tid int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	number := uint64(monotonic()) >> 10 // another one than the last's
	atomic.StoreUint64(&b.watch[slot].what, number<<32|uint64(uint32(tid)))
}

// clear ends a watch and returns what was seen.
func (b *bystanders) clear(slot int) (looks, visits uint64, visitors []Visit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := &b.watch[slot]
	atomic.StoreUint64(&w.what, 0)
	looks, visits, visitors = w.looks, w.visits, append([]Visit{}, w.visitors...)
	w.looks, w.visits, w.visitors = 0, 0, nil
	return looks, visits, visitors
}

func counts(tids map[int]uint64) []TIDCount {
	list := make([]TIDCount, 0, len(tids))
	for tid, n := range tids {
		list = append(list, TIDCount{TID: tid, N: n})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].TID < list[j].TID })
	return list
}

// taskName is what the kernel calls a thread, with a 0 at its end (TASK_COMM_LEN, include/linux/sched.h). It is state of the
// thread that costs little to set and to read.
type taskName [16]byte

func nameOf(what string, i int) (n taskName) {
	copy(n[:], what)
	n[len(what)] = byte('0' + i%10)
	n[len(what)+1] = byte('0' + i/10%10)
	return n
}

func setThreadName(n *taskName) {
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_NAME, uintptr(unsafe.Pointer(n)), 0) // cannot fail with these arguments
}

func threadName() (n taskName) {
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_GET_NAME, uintptr(unsafe.Pointer(&n)), 0) // cannot fail with these arguments
	return n
}
