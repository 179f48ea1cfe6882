package loader

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/testenv/witness"
)

// refuse renames the functions of system calls in the target's programs, so that the kernel has
// none of that name.
func refuse(target *Target, calls ...string) {
	for _, h := range hooksOn(calls) {
		target.spec.Programs[h.functionProgram()].AttachTo = "no_such_function"
	}
}

// openRefused attaches to a process, without fentry on these system calls.
func openRefused(t testing.TB, pid int, cfg Config, calls ...string) *Session {
	t.Helper()
	target, err := OpenTarget(pid)
	if err != nil {
		t.Fatal(err)
	}
	refuse(target, calls...)
	return attachTarget(t, target, cfg)
}

// slowTasks counts the threads of the machine that enter every system call on the slow path.
func slowTasks(t testing.TB) int {
	t.Helper()
	spec, err := loadReference()
	if err != nil {
		t.Fatal(err)
	}
	var objs struct {
		Slow *ebpf.Program `ebpf:"reference_slow"`
	}
	if err := spec.LoadAndAssign(&objs, nil); err != nil {
		t.Fatal(err)
	}
	defer objs.Slow.Close()
	answer, err := readIterator(objs.Slow)
	if err != nil || len(answer) == 0 {
		t.Fatalf("%d threads listed, %v", len(answer), err)
	}
	return bytes.Count(answer, []byte{1})
}

// An attached session slows the system calls of no thread with light and with fentry, of every
// thread with tracepoints.
func TestSyscallTax(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "idle")
	rt, err := goruntime.Open(p.PID, goruntime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	for _, tt := range []struct {
		name    string
		cfg     Config
		refused []string
		how     string
		need    *testenv.Need
	}{
		{"light", Config{Light: true}, nil, Off, testenv.BPF},
		{"fentry", Config{Runtime: RuntimeOf(&rt.Info)}, nil, Fentry, testenv.Fentry},
		{"tracepoints", Config{}, syscalls(), Tracepoint, testenv.BPF},
		{"tracepoints, without C", Config{Runtime: RuntimeOf(&rt.Info)}, syscalls(), Tracepoint, testenv.BPF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			testenv.Require(t, tt.need)
			before, began := slowTasks(t), time.Now()
			s := openRefused(t, p.PID, tt.cfg, tt.refused...)
			took := time.Since(began)
			slow := slowTasks(t)
			began = time.Now()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			closing, after := time.Since(began), slowTasks(t)
			t.Logf("%d threads slow before, %d attached, %d after; %v to attach, %v to detach",
				before, slow, after, took, closing)
			for _, call := range syscalls() {
				how := tt.how
				if call == "clone3" && s.withoutC {
					how = Off
				}
				if got := s.Hooks()[call]; got != how {
					t.Errorf("%s is hooked by %q, want %q (%v)", call, got, how, s.noFentry[call])
				}
			}
			switch {
			case before > 0 || after > 0:
				t.Log("not judged: another tracer is on some system call")
			case tt.how == Tracepoint && slow == 0:
				t.Error("tracepoints slow no thread: slowTasks does not count")
			case tt.how != Tracepoint && slow > 0:
				t.Errorf("%d threads are slowed", slow)
			}
		})
	}
}

// A call whose function can't be attached to gets tracepoints. The other calls are hooked as
// before, and the reason is known.
func TestEachSyscallFallsBack(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	testenv.NoKernelLeftovers(t)
	p := testenv.Workload(t, "idle")
	whole := open(t, p.PID, Config{})
	want := whole.Hooks()
	if err := whole.Close(); err != nil {
		t.Fatal(err)
	}
	s := openRefused(t, p.PID, Config{}, "tgkill")
	for _, call := range syscalls() {
		how := want[call]
		if call == "tgkill" {
			how = Tracepoint
		}
		if got := s.Hooks()[call]; got != how || (got == Fentry) != (s.noFentry[call] == nil) {
			t.Errorf("%s is hooked by %q, want %q; not by its function because: %v", call, got, how, s.noFentry[call])
		}
	}
	if err := s.noFentry["tgkill"]; !errors.Is(err, btf.ErrNotFound) {
		t.Errorf("tgkill has a tracepoint because: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// traced maps a kind of event to the event in a trace buffer.
type traced struct {
	kind  events.Kind
	event string
	ours  func(witness.TraceEvent) bool
	hooks []string // in Stats; a skipped run of any of them loses the event
}

func is(name string, want int64) func(witness.TraceEvent) bool {
	return func(e witness.TraceEvent) bool { v, ok := e.Int(name); return ok && v == want }
}

func isNot(name string, not int64) func(witness.TraceEvent) bool {
	return func(e witness.TraceEvent) bool { v, ok := e.Int(name); return ok && v != not }
}

func always(witness.TraceEvent) bool { return true }

// The programs, on functions or on tracepoints, see the same calls as a trace buffer on
// tracepoints, and each has its stack. Runs that the kernel has skipped are counted.
func TestSyscallsAreThoseOfATraceBuffer(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.BPFAdmin, testenv.Tracefs)
	const sigurg, setMask = 23, 2
	churn := []traced{
		{events.CloneExit, "sys_exit_clone", isNot("ret", 0), // the child returns 0
			[]string{"sys_exit_clone", "sys_enter_clone"}},
		{events.CloneEnter, "sys_enter_clone", always, []string{"sys_enter_clone"}},
		{events.ExitEnter, "sys_enter_exit", always, []string{"sys_enter_exit"}},
		{events.Sigmask, "sys_enter_rt_sigprocmask", func(e witness.TraceEvent) bool {
			return is("how", setMask)(e) && isNot("nset", 0)(e)
		}, []string{"sys_enter_rt_sigprocmask"}},
		{events.Sigaltstack, "sys_enter_sigaltstack", isNot("uss", 0), []string{"sys_enter_sigaltstack"}},
	}
	storm := []traced{
		{events.TgkillEnter, "sys_enter_tgkill", is("sig", sigurg), []string{"sys_enter_tgkill"}},
		{events.TgkillExit, "sys_exit_tgkill", is("ret", 0), []string{"sys_exit_tgkill", "sys_enter_tgkill"}},
		{events.Sigreturn, "sys_enter_rt_sigreturn", always, []string{"sys_enter_rt_sigreturn"}},
	}
	t.Run("churn", func(t *testing.T) { compareWithTrace(t, "churn", churn) })
	t.Run("storm", func(t *testing.T) { compareWithTrace(t, "storm", storm) })
}

func compareWithTrace(t *testing.T, name string, kinds []traced) {
	var names []string
	for _, k := range kinds {
		names = append(names, "syscalls/"+k.event)
	}
	p := testenv.Workload(t, name, "-hold")
	s := attachTo(t, p.PID, Config{})
	t.Logf("hooked by %v", s.Hooks())
	trace := witness.StartTrace(t, append(names, "task/task_newtask", "sched/sched_process_exit"))
	initial := p.Threads()
	drain(t, s)
	p.Go()
	stack := map[events.Kind]int{
		events.CloneEnter: events.ArgCloneStack, events.ExitEnter: events.ArgStack, events.TgkillEnter: events.ArgStack,
	}
	received, stackless := map[events.Kind]int{}, 0
	receive := func() {
		for _, e := range drain(t, s) {
			received[e.Kind]++
			if arg, ok := stack[e.Kind]; ok && e.Args[arg] == 0 {
				stackless++
			}
		}
	}
	missing := func(k traced) bool { return received[k.kind] == 0 }
	for began := time.Now(); time.Since(began) < time.Second || slices.ContainsFunc(kinds, missing); {
		if time.Since(began) > time.Minute {
			t.Fatalf("received %v only", received)
		}
		time.Sleep(50 * time.Millisecond)
		receive()
	}
	p.Stop()
	calls := witness.OfThreads(trace.Stop(), initial)
	receive()
	skipped := map[string]int{}
	st := s.NewStats()
	now, err := st.read()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range now {
		skipped[p.Name] = int(p.Missed)
	}
	for _, k := range kinds {
		want := 0
		for _, e := range calls {
			if e.Name == k.event && k.ours(e) {
				want++
			}
		}
		got, lost := received[k.kind], 0
		for _, hook := range k.hooks {
			lost += skipped[hook]
		}
		t.Logf("%s: %d, the trace %d, skipped %d", k.kind, got, want, lost)
		if want == 0 || got > want || got+lost < want {
			t.Errorf("%d events %s, the trace has %d, and %d runs were skipped", got, k.kind, want, lost)
		}
	}
	if stackless > 0 {
		t.Errorf("%d events without a stack", stackless)
	}
}

// Signal sets that are known by their addresses equal those that are read from memory.
func TestSignalMasks(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.BPFAdmin)
	sets := map[bool]map[uint64]int{}
	calls := 1000 // enough for each set to occur
	if testenv.Emulated() {
		calls = 200
	}
	for _, known := range []bool{false, true} {
		p := testenv.Workload(t, "churn", "-hold")
		target, err := goruntime.Open(p.PID, goruntime.Options{})
		if err != nil {
			t.Fatal(err)
		}
		target.Close()
		info := &target.Info
		if len(info.SignalMasks) != maxMasks {
			t.Fatalf("the program has the masks %+v", info.SignalMasks)
		}
		if !known {
			info.SignalMasks = nil
		}
		s := attachTo(t, p.PID, Config{Runtime: RuntimeOf(info)})
		p.Go()
		sets[known] = map[uint64]int{}
		deadline := time.Now().Add(time.Minute)
		for n := 0; n < calls; time.Sleep(10 * time.Millisecond) {
			for _, e := range drain(t, s) {
				if e.Kind == events.Sigmask {
					sets[known][e.Args[events.ArgValue]]++
					n++
				}
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d calls after a minute", n)
			}
		}
		p.Stop()
	}
	t.Logf("sets, and how often: read %x, known %x", sets[false], sets[true])
	if len(sets[false]) < 2 {
		t.Fatalf("the program has set the masks %x only", sets[false])
	}
	for set := range sets[true] {
		if sets[false][set] == 0 {
			t.Errorf("the program never sets the mask %#x", set)
		}
	}
	if len(sets[true]) != len(sets[false]) {
		t.Errorf("%d different masks, want %d", len(sets[true]), len(sets[false]))
	}
}
