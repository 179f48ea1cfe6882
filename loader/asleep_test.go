package loader

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// asHelper makes the test binary a helper of a test. Its value is which one.
const asHelper = "PINWATCH_TEST_AS_HELPER"

// helpers never return.
var helpers = map[string]func(){"hog": hog, "sleeper": sleepBesideHogs}

func startHelper(t *testing.T, name string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), asHelper+"="+name)
	testenv.StartPiped(t, cmd)
	return cmd
}

// confine keeps the thread of the calling goroutine on one CPU, the same in every process.
func confine() {
	runtime.LockOSThread()
	cpus, err := procfs.Affinity(0)
	var set unix.CPUSet
	if err == nil {
		set.Set(cpus[0])
		err = unix.SchedSetaffinity(0, &set)
	}
	if err != nil {
		panic(err)
	}
}

func hog() {
	confine()
	for {
		_ = unix.Getpid()
	}
}

// sleepBesideHogs uses its CPU for longer than its share, and sleeps.
func sleepBesideHogs() {
	confine()
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, 19); err != nil {
		panic(err)
	}
	used := func() time.Duration {
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
			panic(err)
		}
		return time.Duration(ts.Nano())
	}
	for {
		for end := used() + time.Millisecond; used() < end; {
		}
		nap := unix.NsecToTimespec(int64(300 * time.Millisecond))
		_ = unix.Nanosleep(&nap, nil) // interrupted or not
	}
}

// TestAsleepOnRunQueue: a thread that sleeps waits for no CPU, though Linux 6.12 may leave it on
// its run queue. reference_delayed is the witness, before and after.
func TestAsleepOnRunQueue(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	s := attachTo(t, startHelper(t, "sleeper").Process.Pid, Config{})
	for range 3 {
		startHelper(t, "hog")
	}
	delayed := delayedThreads(t, s.Target.TGID)
	seen, queued := 0, leavesSleepersQueued(t)
	patience := 2 * time.Second
	if queued {
		patience = 20 * time.Second
	}
	for deadline := time.Now().Add(patience); seen < 10 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
		before := delayed()
		threads := snapshot(t, s)
		after := delayed()
		for _, e := range threads {
			if !slices.Contains(before, e.TID) || !slices.Contains(after, e.TID) {
				continue
			}
			seen++
			if e.Has(events.ThreadRunnable) || e.Has(events.ThreadOnCPU) {
				t.Fatalf("thread %d sleeps: flags %#x", e.TID, e.Flags)
			}
		}
	}
	t.Logf("%d times a sleeping thread was queued", seen)
	if seen == 0 && queued {
		testenv.NotJudged(t, "no sleeping thread was seen on its run queue")
	}
}

// delayedThreads returns the witness: it lists the sleeping threads of a process that are on their
// run queues.
func delayedThreads(t *testing.T, tgid uint32) func() []uint32 {
	t.Helper()
	spec, err := loadReference()
	if err != nil {
		t.Fatal(err)
	}
	var objs struct {
		Delayed *ebpf.Program `ebpf:"reference_delayed"`
	}
	if err := errors.Join(spec.Variables["target_tgid"].Set(tgid), spec.LoadAndAssign(&objs, nil)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { objs.Delayed.Close() })
	return func() []uint32 {
		answer, err := readIterator(objs.Delayed)
		if err != nil {
			t.Fatal(err)
		}
		tids := make([]uint32, len(answer)/4)
		if _, err := binary.Decode(answer, binary.NativeEndian, tids); err != nil {
			t.Fatal(err)
		}
		return tids
	}
}

func leavesSleepersQueued(t *testing.T) bool {
	t.Helper()
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		t.Fatal(err)
	}
	var entity *btf.Struct
	if err := kernel.TypeByName("sched_entity", &entity); err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(entity.Members, func(m btf.Member) bool { return m.Name == "sched_delayed" })
}
