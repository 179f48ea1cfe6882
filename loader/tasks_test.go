package loader

import (
	"slices"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

// An iterator over one process visits its threads and no other's, where the kernel can; else all
// threads of the machine.
func TestTasksOfOneProcess(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	spec, err := loadReference()
	if err != nil {
		t.Fatal(err)
	}
	var objs struct {
		Slow *ebpf.Program `ebpf:"reference_slow"` // an answer for each thread that it visits
	}
	if err := spec.LoadAndAssign(&objs, nil); err != nil {
		t.Fatal(err)
	}
	defer objs.Slow.Close()
	p := testenv.Workload(t, "threads", "-n", "50", "-hold")
	own, err := attachTasks(objs.Slow, taskFilter{pid: uint32(p.PID)})
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if own.some == nil {
		t.Log("this kernel has no iterator over one process")
	}
	var visited, threads int
	for before := -1; before != threads; { // the runtime may make a thread meanwhile
		before, visited = len(p.Threads()), 0
		if err := own.read(1, func([]byte) (bool, error) { visited++; return true, nil }); err != nil {
			t.Fatal(err)
		}
		threads = len(p.Threads())
	}
	if visited < threads || own.some != nil && visited != threads {
		t.Errorf("%d threads visited, the process has %d", visited, threads)
	}
}

// An iterator that ended before the last thread of the process is read again over the whole
// machine: every thread is listed.
func TestTasksThatEndEarly(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "threads", "-n", "50", "-hold")
	s := attachTo(t, p.PID, Config{})
	early, err := attachTasks(s.snapshot.prog, taskFilter{tid: uint32(p.PID)}) // the first thread only
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	if s.snapshot.some != nil { // the kernel knows such filters
		last := func(record []byte) (bool, error) { return isLast(record), nil }
		complete, err := readAnswers(early.some, SnapshotRecord, last)
		if complete || err != nil {
			t.Fatalf("one thread of many: complete %t, %v", complete, err)
		}
	}
	infos, err := threadInfos(early)
	if err != nil {
		t.Fatal(err)
	}
	var got []int32
	for _, i := range infos {
		got = append(got, i.TID)
	}
	want := p.Threads()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("threads %v\nin /proc %v", got, want)
	}
	if s.snapshot.some != nil { // the session's own iterator did not need the whole machine
		if err := s.Snapshot(func([]byte) error { return nil }); err != nil || s.snapshot.whole != nil {
			t.Errorf("%v, whole %v", err, s.snapshot.whole)
		}
	}
}

// Threads without room are counted once, though the iterator over the process ends early.
func TestUntrackedAreCountedOnce(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "threads", "-n", "50", "-hold")
	s := attachTo(t, p.PID, Config{ThreadEntries: 1, ThreadOverflow: 1})
	want, err := s.Untracked()
	if err != nil || want < 50 {
		t.Fatalf("%d threads without room, %v", want, err)
	}
	if s.snapshot.some == nil {
		testenv.NotJudged(t, "this kernel has no iterator over one thread, which would end early")
		return
	}
	leader := taskFilter{tid: uint32(p.PID)}
	if err := s.prepare(leader); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Untracked(); err != nil || got != want {
		t.Errorf("%d threads without room, want %d, %v", got, want, err)
	}
}
