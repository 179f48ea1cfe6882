package loader

import (
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

func init() {
	helpers["ender"] = func() { os.Exit(0) }
	helpers["waiter"] = func() {
		_, _ = os.Stdout.Write([]byte{0})
		_, _ = os.Stdin.Read(make([]byte, 1))
		panic(unix.Exec("/proc/self/exe", []string{"ender"}, []string{asHelper + "=ender"}))
	}
	helpers["executer"] = func() { executes(true) }
	helpers["thread executer"] = func() { executes(false) }
}

// executes makes a child that executes nothing, and then executes the helper that ends at once: by the
// process's first thread, or by another one.
func executes(first bool) {
	runtime.LockOSThread()
	if !first {
		go func() {
			runtime.LockOSThread()
			execute()
		}()
		select {}
	}
	execute()
}

func execute() {
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 {
		panic(errno)
	}
	if pid == 0 {
		for {
			_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
	}
	if _, err := unix.Wait4(int(pid), nil, 0, nil); err != nil {
		panic(err)
	}
	panic(unix.Exec("/proc/self/exe", []string{"ender"}, []string{asHelper + "=ender"}))
}

// run runs a helper to its end.
func run(t testing.TB, name string) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{asHelper + "=" + name}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// awaitFrees empties the buffers until the leaders of so many processes have been freed.
func (w *watched) awaitFrees(n int) {
	w.t.Helper()
	for deadline := time.Now().Add(90 * time.Second); w.ended < n; time.Sleep(5 * time.Millisecond) {
		if w.drain(); time.Now().After(deadline) {
			w.t.Fatalf("%d of %d processes have ended", w.ended, n)
		}
	}
}

// text is a target's records in their text form, for messages.
func (w *watched) text(slot uint32) string {
	var b strings.Builder
	for _, e := range w.bySlot[slot] {
		b.Write(append(e.AppendText(nil), '\n'))
	}
	return b.String()
}

// A followed process's child becomes a target at its exec, and another one at its next exec. A child
// that executes nothing is none. Each target's records begin with its Exec and its Thread, and every
// thread of it has a birth and an end.
func TestFollow(t *testing.T) {
	for _, helper := range []string{"executer", "thread executer"} {
		t.Run(helper, func(t *testing.T) {
			w := openGroup(t, GroupConfig{Follow: true})
			if err := w.Follow(os.Getpid()); err != nil {
				t.Fatal(err)
			}
			run(t, helper)
			w.awaitFrees(1)
			if len(w.bySlot) != 2 || len(w.orphans) > 0 {
				t.Fatalf("%d targets, want 2; records of no target: %v", len(w.bySlot), w.orphans)
			}
			first, second := w.bySlot[0], w.bySlot[1]
			if first[0].Kind != events.Exec || first[1].Kind != events.Thread ||
				second[0].Kind != events.Exec || second[1].Kind != events.Thread {
				t.Errorf("first: %v %v, second: %v %v", first[0], first[1], second[0], second[1])
			}
			last := second[0]
			if last.Args[events.ArgFromSlot] != 0 || last.Args[events.ArgToSlot] != 1 ||
				(last.Args[events.ArgOldTID] == uint64(last.TID)) != (helper == "executer") {
				t.Errorf("second exec: %s", last.AppendText(nil))
			}
			// One thread of the first goes on as the second's.
			for slot, goesOn := range []int{1, 0} {
				births, ends := w.count(uint32(slot), events.NewTask), w.count(uint32(slot), events.ProcessExit)
				if births+1 != ends+goesOn {
					t.Errorf("slot %d: %d births, %d ends\n%s", slot, births, ends, w.text(uint32(slot)))
				}
			}
		})
	}
}

// Without Follow and Watch a target stays the same one when it executes a program, and nothing of
// what it or others start is seen.
func TestNotFollowed(t *testing.T) {
	w := openGroup(t, GroupConfig{})
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), asHelper+"=waiter")
	in, out := testenv.StartPiped(t, cmd)
	// It runs. Start returns before its exec is traced: the pipe that Start waits for closes before.
	if _, err := out.ReadByte(); err != nil {
		t.Fatal(err)
	}
	m := w.add(cmd.Process.Pid)
	run(t, "executer")
	if _, err := in.Write([]byte{0}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); m.Target.Alive(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the process does not end")
		}
	}
	w.drain()
	execs := 0
	for _, e := range w.bySlot[m.Slot()] {
		if e.Kind == events.Exec {
			execs++
			if from, to := e.Args[events.ArgFromSlot], e.Args[events.ArgToSlot]; from != uint64(m.Slot()) || to != from {
				t.Errorf("exec: %s", e.AppendText(nil))
			}
		}
	}
	if execs != 1 || len(w.orphans) > 0 || len(w.bySlot) != 1 {
		t.Errorf("%d execs; records of %d targets, of none: %v", execs, len(w.bySlot), w.orphans)
	}
}

// With Watch each process of the machine becomes a target at its exec. Once dropped, no record of it
// is written.
func TestWatch(t *testing.T) {
	w := openGroup(t, GroupConfig{Watch: true})
	p := testenv.Workload(t, "churn", "-hold")
	w.drain()
	if slots := w.Executed(); len(slots) < len(w.bySlot) {
		t.Errorf("slots %v are unknown, of %d", slots, len(w.bySlot))
	}
	var member *Member
	for slot := range w.bySlot {
		m, err := w.AddExecuted(slot)
		if err != nil {
			t.Fatal(err)
		}
		if m.Target.PID == p.PID {
			member = m
		}
	}
	if slots := w.Executed(); slices.ContainsFunc(slots, func(slot uint32) bool { return w.bySlot[slot] != nil }) {
		t.Errorf("slots %v are unknown, %d targets are known", slots, len(w.bySlot))
	}
	if member == nil {
		t.Fatalf("process %d is none of %d targets", p.PID, len(w.bySlot))
	}
	slot := member.Slot()
	p.Go()
	for deadline := time.Now().Add(20 * time.Second); w.count(slot, events.ProcessExit) < 10; w.drain() {
		if time.Now().After(deadline) {
			t.Fatal("no threads end")
		}
	}
	if err := member.Drop(); err != nil {
		t.Fatal(err)
	}
	w.drain()
	n := len(w.bySlot[slot])
	time.Sleep(100 * time.Millisecond)
	p.Quiesce()
	w.drain()
	if more := len(w.bySlot[slot]) - n; more > 0 {
		t.Errorf("%d records after the drop", more)
	}
}

// Many short processes pass through few slots. Each is complete, and nothing is left of them.
func TestSlotsReturn(t *testing.T) {
	const slots, atOnce = 64, 8
	// A slot is used again after two emptyings: at most three times as many are in use.
	unseen := make(chan struct{}, slots/4)
	processes := testenv.Cases([]int{1000}, []int{50})
	w := openGroup(t, GroupConfig{Targets: slots, Follow: true})
	if err := w.Follow(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	total, stats := processes[len(processes)-1], w.NewStats()
	var wg sync.WaitGroup
	left := make(chan struct{}, total)
	for range total {
		left <- struct{}{}
	}
	close(left)
	for range atOnce {
		wg.Go(func() {
			for range left {
				unseen <- struct{}{}
				run(t, "ender")
			}
		})
	}
	w.onEnd = func(slot uint32) {
		<-unseen
		births, ends := w.count(slot, events.NewTask), w.count(slot, events.ProcessExit)
		if w.count(slot, events.Exec) != 1 || births+1 != ends {
			t.Errorf("%d births, %d ends\n%s", births, ends, w.text(slot))
		}
		m, err := w.AddExecuted(slot)
		if err != nil {
			t.Fatal(err)
		}
		if lost, err := m.Lost(); err != nil || lost != noneLost || m.LostTurns() > 0 {
			t.Errorf("lost %v and %d turns (%v)", lost, m.LostTurns(), err)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		delete(w.bySlot, slot)
	}
	// Linux 7 skips a run of a program where another is preempted inside it, and counts that.
	skipped := 0
	seen, progress := 0, time.Now() // a busy machine may take long, but it goes on
	for ; w.ended+skipped < total; time.Sleep(5 * time.Millisecond) {
		if w.drain(); w.ended > seen {
			seen, progress = w.ended, time.Now()
		}
		if time.Since(progress) > time.Minute {
			for slot := range w.bySlot {
				t.Errorf("slot %d: %+v\n%s", slot, *w.at(slot), w.text(slot))
			}
			t.Fatalf("%d of %d processes have ended, %d runs were skipped, %d without a slot, unknown %v, of no target %v",
				w.ended, total, skipped, w.NoSlot(), w.Executed(), w.orphans)
		}
		missed, err := stats.Missed()
		if err != nil {
			t.Fatal(err)
		}
		skipped = int(missed["sched_process_exec"] + missed["sched_process_free"] + missed["task_newtask"])
	}
	wg.Wait()
	for range 3 { // closed slots rest twice
		w.drain()
		time.Sleep(restLeast)
	}
	// Where the birth of a thread was skipped, its turns are of no target.
	if n := w.NoSlot(); n > 0 || len(w.orphans) > 0 && skipped == 0 || len(w.members) > 0 {
		t.Errorf("%d processes without a slot, %d members left, records of no target: %v", n, len(w.members), w.orphans)
	}
	w.assertEmpty(slots, skipped)
}

// assertEmpty checks that all slots are free, and that the kernel side knows of no process but the
// followed one, and of no thread: but for those of which a run of a program was skipped.
func (w *watched) assertEmpty(slots, skipped int) {
	w.t.Helper()
	free := 0
	for slot := uint32(0); w.objs.FreeSlots.LookupAndDelete(nil, &slot) == nil; {
		free++
	}
	processes, threads := 0, 0
	var tgid uint32
	value := make([]byte, w.objs.Processes.ValueSize())
	for all := w.objs.Processes.Iterate(); all.Next(&tgid, &value); {
		processes++
	}
	for i := range w.threads {
		if w.threads[i].Tid != 0 {
			threads++
		}
	}
	hints := 0
	for _, h := range w.hints.Of {
		if h != 0 {
			hints++
		}
	}
	var overflow uint32
	if err := w.objs.OverflowUsed.Get(&overflow); err != nil {
		w.t.Fatal(err)
	}
	if free < slots-skipped || processes > 1+skipped || threads > skipped || int(overflow) > skipped || hints > skipped {
		w.t.Errorf("%d of %d slots are free; %d processes, want 1; %d threads and %d beside the table; %d hints",
			free, slots, processes, threads, overflow, hints)
	}
}
