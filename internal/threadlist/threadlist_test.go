package threadlist

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/report"
)

// fakeMachines has the Ms of this process's threads.
type fakeMachines struct {
	ms    []goruntime.M
	err   error
	byTID map[int32]error
	reads int
}

func (f *fakeMachines) Ms() ([]goruntime.M, error) {
	f.reads++
	return f.ms, f.err
}

func (f *fakeMachines) ThreadM(base uint64, tid int32) (goruntime.M, error) {
	if err := f.byTID[tid]; err != nil {
		return goruntime.M{}, err
	}
	return goruntime.M{ID: int64(base), TID: tid, Role: goruntime.RoleWorker, Lock: goruntime.LockNone, P: -1}, nil
}

func listerOf(f *fakeMachines) *Lister {
	return &Lister{
		PID: os.Getpid(), Runtime: f, Info: &goruntime.Info{Unknown: map[string]error{}},
		bases: func() ([]threadBase, error) { return nil, errors.New("not allowed") },
	}
}

// TestWarnings checks that a failed read is reported once, with the capability that would help.
func TestWarnings(t *testing.T) {
	refused := &goruntime.PermissionError{Path: "/proc/1/mem", Capability: "CAP_SYS_PTRACE", Err: os.ErrPermission}
	for name, c := range map[string]struct {
		f     fakeMachines
		info  error
		words string
		reads int
	}{
		"stripped": {f: fakeMachines{err: goruntime.ErrNoAllM},
			words: "stripped|CAP_BPF|CAP_PERFMON|not allowed", reads: 1},
		"unknown release": {f: fakeMachines{err: goruntime.ErrNoOffsets}, info: errors.New("go1.99 is too new"),
			words: "go1.99", reads: 1},
		"not to be read": {f: fakeMachines{err: refused}, words: "CAP_SYS_PTRACE", reads: 1},
		"a list without end": {f: fakeMachines{err: errors.New("leads back")}, words: "not all|leads back",
			reads: maxReads},
		"threads without an M": {f: fakeMachines{}, words: "", reads: maxReads},
	} {
		l := listerOf(&c.f)
		if c.info != nil {
			l.Info.Unknown["Offsets"] = c.info
		}
		rows, warnings, err := l.List(context.Background())
		if err != nil || len(rows) == 0 {
			t.Fatalf("%s: %d rows, %v", name, len(rows), err)
		}
		for _, r := range rows {
			if r.Role != goruntime.RoleUnknown || r.Lock != goruntime.LockUnknown || r.M != nil || r.GoID != nil {
				t.Errorf("%s: %s", name, row(r))
			}
		}
		all := strings.Join(warnings, "\n")
		for _, word := range strings.Split(c.words, "|") {
			if !strings.Contains(all, word) || (c.words == "") != (all == "") {
				t.Errorf("%s: warnings %q", name, warnings)
			}
		}
		if c.f.reads != c.reads {
			t.Errorf("%s: read %d times, want %d", name, c.f.reads, c.reads)
		}
	}
}

// TestStripped finds the Ms by the bases of the threads, without a list of Ms.
func TestStripped(t *testing.T) {
	ts, err := readTasks(os.Getpid(), false)
	if err != nil {
		t.Fatal(err)
	}
	byTID := map[int32]error{ts[0].tid: goruntime.ErrForeign, ts[1].tid: goruntime.ErrCheck}
	f := &fakeMachines{err: goruntime.ErrNoAllM, byTID: byTID}
	l := listerOf(f)
	l.bases = func() (bases []threadBase, err error) {
		for i, t := range ts {
			bases = append(bases, threadBase{nsTID: t.tid, base: uint64(i)})
		}
		return bases, nil
	}
	rows, warnings, err := l.List(context.Background())
	if err != nil || len(warnings) != 0 {
		t.Fatal(warnings, err)
	}
	for _, r := range rows {
		for i := range ts {
			if r.TID != ts[i].tid {
				continue
			}
			// The fake Info describes this program as pure Go: a thread without M is no C thread.
			if known := r.Role == goruntime.RoleWorker && *r.M == int64(i); known != (i > 1) {
				t.Errorf("thread %d: %s", i, row(r))
			}
		}
	}
}

// sleeper starts a thread that sleeps in a system call until the test ends.
func sleeper(t *testing.T) (tid int32, pc uint64) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ids, done := make(chan int), make(chan bool)
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		ids <- unix.Gettid()
		_, _ = unix.Read(int(r.Fd()), make([]byte, 1)) // Fd has made it blocking
	}()
	tid = int32(<-ids)
	t.Cleanup(func() { w.Close(); <-done; r.Close() })
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if call, ok, _ := procfs.Thread(os.Getpid(), tid).Syscall(); ok && call.Number == unix.SYS_READ {
			return tid, call.PC
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("the thread does not fall asleep")
	return 0, 0
}

// TestForeign checks that a thread is foreign only when it can be nothing else.
func TestForeign(t *testing.T) {
	tid, pc := sleeper(t)
	task := &task{tid: tid, nsTID: tid}
	outside := goruntime.Info{CGO: true, TextStart: pc + 1, TextEnd: pc + 2}
	for name, c := range map[string]struct {
		info goruntime.Info
		ms   runtimeMs
		want bool
	}{
		"C code":         {outside, runtimeMs{whole: true}, true},
		"C code, g nil":  {outside, runtimeMs{without: map[int32]bool{tid: true}}, true},
		"Go code":        {goruntime.Info{CGO: true, TextStart: pc, TextEnd: pc + 1}, runtimeMs{whole: true}, false},
		"an M to come":   {outside, runtimeMs{}, false},
		"no C code":      {goruntime.Info{TextStart: pc + 1, TextEnd: pc + 2}, runtimeMs{whole: true}, false},
		"code not known": {goruntime.Info{CGO: true}, runtimeMs{whole: true}, false},
	} {
		l := &Lister{PID: os.Getpid(), Info: &c.info}
		c.ms.settle([]int32{tid}, nil)
		if got := l.foreign(task, c.ms); got != c.want {
			t.Errorf("%s: foreign = %t", name, got)
		}
		c.ms.settle(nil, nil)
		if l.foreign(task, c.ms) {
			t.Errorf("%s: foreign, though the thread is newer than the list of Ms", name)
		}
		c.ms.byTID = map[int32]goruntime.M{tid + 1: {}}
		c.ms.settle([]int32{tid}, nil)
		if l.foreign(task, c.ms) && c.ms.without == nil {
			t.Errorf("%s: foreign, though the Ms are another process's", name)
		}
	}
}

// TestForeignAtWork checks that a thread which computes is foreign when it has done so for longer than
// any thread of the runtime does without an M.
func TestForeignAtWork(t *testing.T) {
	tids := make(chan int32)
	var works, stop atomic.Bool
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection would wait for the loop
	go func() {
		runtime.LockOSThread() // for good: the thread's signals stay blocked
		tids <- int32(unix.Gettid())
		urgent := unix.Sigset_t{Val: [16]uint64{1 << (unix.SIGURG - 1)}}
		if err := unix.PthreadSigmask(unix.SIG_BLOCK, &urgent, nil); err != nil {
			panic(err)
		}
		for works.Store(true); !stop.Load(); { // nothing preempts it, so its thread does not sleep
		}
	}()
	tid := <-tids
	defer stop.Store(true)
	for !works.Load() {
		time.Sleep(time.Millisecond)
	}
	l := &Lister{PID: os.Getpid(), Info: &goruntime.Info{CGO: true, TextStart: 1, TextEnd: 2},
		ran: map[int32]time.Duration{}}
	ms := runtimeMs{whole: true}
	ms.settle([]int32{tid}, nil)
	thread := procfs.Thread(os.Getpid(), tid)
	begin, _ := thread.OnCPU()
	if l.foreign(&task{tid: tid, nsTID: tid}, ms) {
		t.Error("foreign at the first read")
	}
	for deadline := time.Now().Add(20 * time.Second); !l.foreign(&task{tid: tid, nsTID: tid}, ms); {
		if time.Now().After(deadline) {
			t.Fatal("never foreign")
		}
		time.Sleep(time.Millisecond)
	}
	if now, _ := thread.OnCPU(); now-begin < ranInC {
		t.Errorf("foreign after %v", now-begin)
	}
}

func row(th report.ListedThread) string {
	b, err := json.Marshal(th)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
