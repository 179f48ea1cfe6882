package loader

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/bpf"
	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

func TestMain(m *testing.M) {
	if help := helpers[os.Getenv(asHelper)]; help != nil {
		help()
	}
	os.Exit(testenv.Main(m))
}

// open attaches to a process. The caller closes the session.
func open(t testing.TB, pid int, cfg Config) *Session {
	t.Helper()
	target, err := OpenTarget(pid)
	if err != nil {
		t.Fatal(err)
	}
	return attachTarget(t, target, cfg)
}

func attachTarget(t testing.TB, target *Target, cfg Config) *Session {
	t.Helper()
	s, err := Attach(target, cfg)
	if err != nil {
		target.Close()
		t.Fatal(err)
	}
	return s
}

func attachTo(t testing.TB, pid int, cfg Config) *Session {
	t.Helper()
	s := open(t, pid, cfg)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func ringOf(t testing.TB, s *Session) *events.Ring {
	t.Helper()
	ring, err := events.NewRing(s.Rings(), s.Turns(), s.CPUSlots(), s.Buffers.TurnsPerCPU)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ring.Close() })
	return ring
}

// drain returns all events in the buffers.
func drain(t testing.TB, s *Session) []events.Event {
	t.Helper()
	return drainOf(t, s, s.Rings()...)
}

// drainOf returns all events in some of the ring buffers and in all rings of turns.
func drainOf(t testing.TB, s *Session, shared ...*ebpf.Map) []events.Event {
	t.Helper()
	ring, err := events.NewRing(shared, s.Turns(), s.CPUSlots(), s.Buffers.TurnsPerCPU)
	if err != nil {
		t.Fatal(err)
	}
	defer ring.Close()
	const now = events.Time(math.MaxInt64)
	var all []events.Event
	for until := events.Time(0); until < now; {
		d, err := ring.Drain(now, func(e *events.Event) { all = append(all, *e) })
		if err != nil {
			t.Fatal(err)
		}
		until = d.Until
	}
	return all
}

// readIterator returns all that a program over all threads of the machine writes.
func readIterator(prog *ebpf.Program) (answers []byte, err error) {
	tasks := tasks{prog: prog}
	err = tasks.read(1, func(answer []byte) (bool, error) {
		answers = append(answers, answer...)
		return true, nil
	})
	return answers, errors.Join(err, tasks.Close())
}

func snapshot(t testing.TB, s *Session) []events.Event {
	t.Helper()
	var all []events.Event
	if err := s.Snapshot(func(record []byte) error {
		return events.DecodeSnapshot(record, func(e *events.Event) { all = append(all, *e) })
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// On a workload with every kind of event but exec, each kind arrives, nothing is lost, and the
// stream is valid: with room in the table of threads and with almost none, and when aggregating.
func TestAllKindsArrive(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	configs := testenv.Cases([]Config{{}, {ThreadEntries: 1}, {Aggregate: true}},
		[]Config{{ThreadEntries: 1, Aggregate: true}})
	for _, cfg := range configs {
		t.Run(fmt.Sprintf("entries=%d aggregate=%t", cfg.ThreadEntries, cfg.Aggregate), func(t *testing.T) {
			p := testenv.Workload(t, "demo", "-hold")
			rt, err := goruntime.Open(p.PID, goruntime.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer rt.Close()
			cfg.Runtime, cfg.Pins = RuntimeOf(&rt.Info), true
			s := attachTo(t, p.PID, cfg)
			var at Place
			if at.Path, at.Offset, err = rt.CodePlace(rt.LockOSThread); err == nil {
				err = s.ProbePins(at)
			}
			if err != nil {
				t.Fatal(err)
			}
			p.Go()
			seen := map[events.Kind]int{}
			missing := func() (names []string) {
				for k := events.Kind(1); k < events.WindowStart; k++ { // the kernel's
					// Those of an exec, of children that die with a thread and of delays have tests of their own.
					expected := k != events.Thread && k != events.Exec && k != events.ParentDeath && k != events.Delay
					if k == events.Sum || k == events.SumLock {
						expected = cfg.Aggregate
					}
					if expected && seen[k] == 0 {
						names = append(names, k.String())
					}
				}
				return names
			}
			var all []events.Event
			for deadline := time.Now().Add(time.Minute); len(missing()) > 0 && time.Now().Before(deadline); {
				for _, e := range drain(t, s) {
					seen[e.Kind]++
					all = append(all, e)
				}
				time.Sleep(10 * time.Millisecond)
			}
			slices.SortStableFunc(all, func(a, b events.Event) int { return cmp.Compare(a.Time, b.Time) })
			var v streamValidator
			for i := range all {
				v.add(&all[i])
			}
			if err := errors.Join(v.errors...); err != nil {
				t.Error(err)
			}
			if names := missing(); len(names) > 0 {
				t.Errorf("no event of kind %s in %v", strings.Join(names, ", "), seen)
			}
			if lost, err := s.Lost(); err != nil || lost != [bpf.PinwatchEventKindKIND_COUNT]uint64{} {
				t.Errorf("lost %v, %v", lost, err)
			}
			if n := ringOf(t, s).LostTurns(); n > 0 {
				t.Errorf("%d turns lost", n)
			}
		})
	}
}

// The snapshot lists exactly the threads in /proc, under the same names.
func TestSnapshotIsProc(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "threads", "-n", "50", "-hold")
	s := attachTo(t, p.PID, Config{})
	var got []int32
	for _, e := range snapshot(t, s) {
		got = append(got, int32(e.Args[events.ArgNSTID]))
		comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/comm", p.PID, e.TID))
		if err != nil || e.Name() != strings.TrimSpace(string(comm)) {
			t.Errorf("thread %d is called %q, in /proc %q (%v)", e.TID, e.Name(), comm, err)
		}
	}
	want := p.Threads()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("threads %v\nin /proc %v", got, want)
	}
}

// A full ring buffer loses records and each is counted: received + lost is the number of threads
// that the churn workload ended, by its account.
func TestLossesAreCounted(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "churn", "-hold")
	s := attachTo(t, p.PID, Config{RingBytes: 1})
	p.Go()
	kind := events.ExitEnter
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		lost, err := s.Lost()
		if err != nil {
			t.Fatal(err)
		}
		if lost[kind] > 20 || time.Now().After(deadline) {
			break
		}
	}
	account := p.Stop()
	lost, err := s.Lost()
	if err != nil {
		t.Fatal(err)
	}
	var received uint64
	for _, e := range drain(t, s) {
		if e.Kind == kind {
			received++
		}
	}
	if lost[kind] == 0 || received+lost[kind] != uint64(account.LockedExits) {
		t.Errorf("%d exits received and %d lost, the workload ended %d threads",
			received, lost[kind], account.LockedExits)
	}
}

func TestNoSuchProcess(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenTarget(cmd.Process.Pid); !errors.Is(err, ErrNoProcess) {
		t.Errorf("a process that has ended: %v", err)
	}
}

func TestKernelThread(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	if _, err := OpenTarget(2); !errors.Is(err, ErrKernelThread) {
		t.Errorf("kthreadd: %v", err)
	}
}

func TestThreadIsNoProcess(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	tids := make(chan int)
	release := make(chan struct{})
	defer close(release)
	for range 2 { // one of the two may be the process's first thread
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			tids <- unix.Gettid()
			<-release
		}()
	}
	for range 2 {
		tid := <-tids
		if tid == os.Getpid() {
			continue
		}
		if _, err := OpenTarget(tid); !errors.Is(err, ErrThread) {
			t.Errorf("thread %d: %v", tid, err)
		}
	}
}

// The end of the target is noticed, and no thread is listed for its PID afterwards.
func TestTargetEnds(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "idle")
	s := attachTo(t, p.PID, Config{})
	if !s.Target.Alive() {
		t.Error("not alive while it runs")
	}
	p.Stop()
	if s.Target.Alive() {
		t.Error("alive after its end")
	}
	if left := snapshot(t, s); len(left) != 0 {
		t.Errorf("%d threads after its end", len(left))
	}
}

func TestNothingIsLeftInTheKernel(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	testenv.NoKernelLeftovers(t)
	p := testenv.Workload(t, "idle")
	s := open(t, p.PID, Config{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// Every check has a state and a finding, and one that failed has an effect.
func TestDiagnose(t *testing.T) {
	for _, c := range Diagnose() {
		if c.Name == "" || c.State == "" || c.Detail == "" {
			t.Errorf("incomplete: %+v", c)
		}
		if (c.State == No || c.State == Without) != (c.Effect != "") {
			t.Errorf("effect does not fit: %+v", c)
		}
	}
}
