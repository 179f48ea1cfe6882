package main

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/goruntime"
)

// fakeMachines answers for this process's threads.
type fakeMachines struct {
	ms    []goruntime.M
	err   error
	byTID map[int32]error
	asked int
}

func (f *fakeMachines) Ms() ([]goruntime.M, error) {
	f.asked++
	return f.ms, f.err
}

func (f *fakeMachines) ThreadM(base uint64, tid int32) (goruntime.M, error) {
	if err := f.byTID[tid]; err != nil {
		return goruntime.M{}, err
	}
	return goruntime.M{ID: int64(base), TID: tid, Role: goruntime.RoleWorker, Lock: goruntime.LockNone, P: -1}, nil
}

func listerOf(f *fakeMachines) *lister {
	return &lister{
		pid: os.Getpid(), runtime: f, info: &goruntime.Info{Unknown: map[string]error{}},
		bases: func() ([]threadBase, error) { return nil, errors.New("not allowed") },
	}
}

// TestListerWarns: what could not be had is said once, with what would help.
func TestListerWarns(t *testing.T) {
	refused := &goruntime.PermissionError{Path: "/proc/1/mem", Capability: "CAP_SYS_PTRACE", Err: os.ErrPermission}
	for name, c := range map[string]struct {
		f     fakeMachines
		info  error
		words string
		asked int
	}{
		"stripped":             {f: fakeMachines{err: goruntime.ErrNoAllM}, words: "stripped|CAP_BPF|CAP_PERFMON|not allowed", asked: 1},
		"unknown release":      {f: fakeMachines{err: goruntime.ErrNoOffsets}, info: errors.New("go1.99 is too new"), words: "go1.99", asked: 1},
		"not to be read":       {f: fakeMachines{err: refused}, words: "CAP_SYS_PTRACE", asked: 1},
		"a list without end":   {f: fakeMachines{err: errors.New("leads back")}, words: "not all|leads back", asked: looks},
		"threads without an M": {f: fakeMachines{}, words: "", asked: looks},
	} {
		l := listerOf(&c.f)
		if c.info != nil {
			l.info.Unknown["Offsets"] = c.info
		}
		rows, warnings, err := l.list(context.Background())
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
		if c.f.asked != c.asked {
			t.Errorf("%s: looked %d times, want %d", name, c.f.asked, c.asked)
		}
	}
}

// TestListerAsksTheKernel: without a list of Ms, each thread is found by what the kernel says of it.
func TestListerAsksTheKernel(t *testing.T) {
	ts, err := tasks(os.Getpid(), false)
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeMachines{err: goruntime.ErrNoAllM, byTID: map[int32]error{ts[0].tid: goruntime.ErrForeign, ts[1].tid: goruntime.ErrCheck}}
	l := listerOf(f)
	l.bases = func() (bases []threadBase, err error) {
		for i, t := range ts {
			bases = append(bases, threadBase{own: t.tid, base: uint64(i)})
		}
		return bases, nil
	}
	rows, warnings, err := l.list(context.Background())
	if err != nil || len(warnings) != 0 {
		t.Fatal(warnings, err)
	}
	for _, r := range rows {
		for i := range ts {
			if r.TID != ts[i].tid {
				continue
			}
			// This program is pure Go as far as its fake Info says: a thread without M is no C thread.
			if known := r.Role == goruntime.RoleWorker && *r.M == int64(i); known != (i > 1) {
				t.Errorf("thread %d: %s", i, row(r))
			}
		}
	}
}

// sleeper is a thread that sleeps in a system call until the test ends.
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
		// Nothing but read(2) has the first number.
		if fields := strings.Fields(taskFile(os.Getpid(), tid, "syscall")); len(fields) > 0 && fields[0] == strconv.Itoa(unix.SYS_READ) {
			pc, ok := sleepsAt(os.Getpid(), tid)
			if !ok {
				t.Fatalf("%q is no system call", fields)
			}
			return tid, pc
		}
	}
	t.Fatal("the thread does not fall asleep")
	return 0, 0
}

// TestForeign: a thread is foreign only when nothing else can be.
func TestForeign(t *testing.T) {
	tid, pc := sleeper(t)
	task := &task{tid: tid, own: tid}
	outside := goruntime.Info{CGO: true, TextStart: pc + 1, TextEnd: pc + 2}
	for name, c := range map[string]struct {
		info goruntime.Info
		k    known
		want bool
	}{
		"C code":         {outside, known{whole: true}, true},
		"C code, g nil":  {outside, known{noM: map[int32]bool{tid: true}}, true},
		"Go code":        {goruntime.Info{CGO: true, TextStart: pc, TextEnd: pc + 1}, known{whole: true}, false},
		"an M to come":   {outside, known{}, false},
		"no C code":      {goruntime.Info{TextStart: pc + 1, TextEnd: pc + 2}, known{whole: true}, false},
		"code not known": {goruntime.Info{CGO: true}, known{whole: true}, false},
	} {
		l := &lister{pid: os.Getpid(), info: &c.info}
		c.k.settle([]int32{tid}, nil)
		if got := l.foreign(task, c.k); got != c.want {
			t.Errorf("%s: foreign = %t", name, got)
		}
		c.k.settle(nil, nil)
		if l.foreign(task, c.k) {
			t.Errorf("%s: foreign, though the thread is newer than what the runtime said", name)
		}
		c.k.ms = map[int32]goruntime.M{tid + 1: {}}
		c.k.settle([]int32{tid}, nil)
		if l.foreign(task, c.k) && c.k.noM == nil {
			t.Errorf("%s: foreign, though the Ms are another process's", name)
		}
	}
}

func TestParseTaskStat(t *testing.T) {
	const fields = "S 4 5 6 7 8 9 10 11 12 13 1450 50 16 17 18 -5 20 21 360000 " + // each its own number, but for those that are read
		"23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 3 40 1 42"
	s, ok := parseTaskStat("4242 (a) S (b\\n) " + fields)
	if !ok || s.name != `a) S (b\n` || s.state != "S" {
		t.Fatalf("%+v, %t", s, ok)
	}
	if *s.number(19) != -5 || *s.number(39) != 3 || *s.policy() != "SCHED_FIFO" || *s.used() != 15 ||
		*s.age(3_700e9) != 100 || *s.age(1e9) != 0 {
		t.Errorf("nice %d, CPU %d, %s, used %v, age %v", *s.number(19), *s.number(39), *s.policy(), *s.used(), *s.age(3_700e9))
	}
	for _, line := range []string{"", "1", "1 (", "1 )(", "1 (x)", "1 (x) S 1 2 3"} {
		if s, ok := parseTaskStat(line); ok {
			t.Errorf("%q: %+v", line, s)
		}
	}
}
