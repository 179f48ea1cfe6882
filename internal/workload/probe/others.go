package probe

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/pinwatch/pinwatch/internal/workload/work"
)

// MaxWatched is how many threads Others watches at a time.
const MaxWatched = 8

// Others are unlocked goroutines that go from thread to thread and compare their thread with those
// that are watched.
type Others struct {
	watched [MaxWatched]watch // first, so that it is aligned on 32-bit machines too
	ping    chan struct{}
	pong    chan struct{}
	stop    chan struct{}
	ended   sync.WaitGroup
	mu      sync.Mutex // guards the watches
}

// watch is a watched thread. The number of the stretch distinguishes it from the next stretch on
// the same thread.
type watch struct {
	what     uint64 // number of the stretch << 32 | thread id; 0 = nothing; atomic, to be read without the lock
	checks   uint64
	visits   uint64
	visitors []Visit
}

// StartOthers starts n of them.
func StartOthers(n int) *Others {
	o := &Others{ping: make(chan struct{}), pong: make(chan struct{}), stop: make(chan struct{})}
	go func() {
		for range o.ping {
			o.pong <- struct{}{}
		}
	}()
	o.ended.Add(n)
	for i := 0; i < n; i++ {
		go func(i int) {
			defer o.ended.Done()
			id, name := GoID(), nameOf("ot", i)
			for turn := i; ; turn++ {
				select {
				case <-o.stop:
					return
				default:
				}
				o.Check(id, -1)
				setThreadName(&name)
				o.Stir(turn)
			}
		}(i)
	}
	return o
}

// Stop ends them.
func (o *Others) Stop() {
	close(o.stop)
	o.ended.Wait()
	close(o.ping)
}

// Check compares the thread of the calling goroutine with the watched ones, except the watch with
// the number skip. A watch that begins or ends meanwhile is left out: whose thread it was at that
// moment is unknown.
func (o *Others) Check(goid int64, skip int) {
	var before [MaxWatched]uint64
	for i := range before {
		before[i] = atomic.LoadUint64(&o.watched[i].what)
	}
	tid := syscall.Gettid()
	for i, what := range before {
		if i != skip && what != 0 {
			o.note(&o.watched[i], what, Visit{GoID: goid, TID: tid})
		}
	}
}

// note counts a check that began while what was watched, if it still is.
func (o *Others) note(w *watch, what uint64, v Visit) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if w.what != what {
		return
	}
	w.checks++
	if uint32(what) == uint32(v.TID) {
		w.visits++
		if len(w.visitors) < MaxVisitors {
			v.At = Now()
			w.visitors = append(w.visitors, v)
		}
	}
}

// Stir gives the scheduler a reason to move the calling goroutine, another one each turn.
func (o *Others) Stir(turn int) {
	switch turn % 6 {
	case 0, 3:
		runtime.Gosched()
	case 1:
		time.Sleep(20 * time.Microsecond)
	case 2:
		work.Nap(20e3) // too short for the P to be taken away
	case 4:
		o.ping <- struct{}{}
		<-o.pong
	case 5:
		work.Nap(150e3) // so long that the P may be taken away
	}
}

// Watch begins to watch a thread.
func (o *Others) Watch(slot, tid int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	number := uint64(Now()) >> 10 // differs from the number of the last watch
	atomic.StoreUint64(&o.watched[slot].what, number<<32|uint64(uint32(tid)))
}

// Unwatch ends a watch and returns what was seen.
func (o *Others) Unwatch(slot int) (checks, visits uint64, visitors []Visit) {
	o.mu.Lock()
	defer o.mu.Unlock()
	w := &o.watched[slot]
	atomic.StoreUint64(&w.what, 0)
	checks, visits, visitors = w.checks, w.visits, append([]Visit{}, w.visitors...)
	w.checks, w.visits, w.visitors = 0, 0, nil
	return checks, visits, visitors
}

// Visited reports whether a visit to the watched thread has been counted.
func (o *Others) Visited(slot int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.watched[slot].visits > 0
}

// taskName is the kernel's name of a thread, with a 0 at its end (TASK_COMM_LEN,
// include/linux/sched.h). It is state of a thread that is cheap to set and to read.
type taskName [16]byte

func nameOf(what string, i int) (n taskName) {
	copy(n[:], what)
	n[len(what)] = byte('0' + i%10)
	n[len(what)+1] = byte('0' + i/10%10)
	return n
}

// setThreadName names the calling thread. The call cannot fail with these arguments.
func setThreadName(n *taskName) {
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_NAME, uintptr(unsafe.Pointer(n)), 0)
}

// NameThread names the calling thread.
func NameThread(name string) {
	var n taskName
	copy(n[:len(n)-1], name)
	setThreadName(&n)
}

// NameTask names a thread of this process.
func NameTask(tid int, name string) error {
	f, err := os.OpenFile("/proc/self/task/"+strconv.Itoa(tid)+"/comm", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(name)
	return err
}

// ThreadName is the name of the calling thread.
func ThreadName() string {
	n := threadName()
	return strings.TrimRight(string(n[:]), "\x00")
}

// ThreadGID is the real group id of the calling thread. syscall.Getgid is the same call.
func ThreadGID() int { return syscall.Getgid() }

// threadName is the name of the calling thread. The call cannot fail with these arguments.
func threadName() (n taskName) {
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_GET_NAME, uintptr(unsafe.Pointer(&n)), 0)
	return n
}
