package loader

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/testenv/witness"
)

var errRefused = errors.New("refused by the test")

func refuseAll(string) error { return errRefused }

// slowTasks is how many threads of the machine take the slow way into every system call now.
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

// Whom an attached session costs something at each system call: nobody in light and with fentry, everybody with tracepoints.
func TestSyscallTax(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "idle")
	rt, err := goruntime.Open(p.PID, goruntime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	for _, tt := range []struct {
		name string
		cfg  Config
		how  string
		need *testenv.Need
	}{
		{"light", Config{Light: true}, Off, testenv.BPF},
		{"fentry", Config{Runtime: &rt.Info}, Fentry, testenv.Fentry},
		{"tracepoints", Config{refuse: refuseAll}, Tracepoint, testenv.BPF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			testenv.Require(t, tt.need)
			before, began := slowTasks(t), time.Now()
			s := open(t, p.PID, tt.cfg)
			took := time.Since(began)
			slow := slowTasks(t)
			began = time.Now()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			t.Logf("%d threads slow before, %d attached; %v to attach, %v to leave", before, slow, took, time.Since(began))
			for _, call := range syscalls() {
				if s.Hooks()[call] != tt.how && !(tt.how == Fentry && call == "clone3" && s.Hooks()[call] == Off && errors.Is(s.noFentry[call], btf.ErrMultipleMatches)) {
					t.Errorf("%s is watched by %q, want %q (%v)", call, s.Hooks()[call], tt.how, s.noFentry[call])
				}
			}
			switch {
			case before > 0: // another tracer is on some system call
			case tt.how == Tracepoint && slow == 0:
				t.Error("no thread is slowed by tracepoints: what counts them does not")
			case tt.how != Tracepoint && slow > 0:
				t.Errorf("%d threads are slowed", slow)
			}
		})
	}
}

// A call whose function can't be attached to has tracepoints; the others have what they had. Why is known.
func TestEachSyscallFallsBack(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	testenv.NoKernelLeftovers(t)
	p := testenv.Workload(t, "idle")
	whole := open(t, p.PID, Config{})
	want := whole.Hooks()
	if err := whole.Close(); err != nil {
		t.Fatal(err)
	}
	s := open(t, p.PID, Config{refuse: func(call string) error {
		if call == "tgkill" {
			return errRefused
		}
		return nil
	}})
	for _, call := range syscalls() {
		how := want[call]
		if call == "tgkill" {
			how = Tracepoint
		}
		if got := s.Hooks()[call]; got != how || (got == Fentry) != (s.noFentry[call] == nil) {
			t.Errorf("%s is watched by %q, want %q; not by its function because: %v", call, got, how, s.noFentry[call])
		}
	}
	if err := s.noFentry["tgkill"]; !errors.Is(err, errRefused) {
		t.Errorf("tgkill has a tracepoint because: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// traced is how a trace buffer sees what a kind of event tells of.
type traced struct {
	kind  events.Kind
	event string
	ours  func(witness.TraceEvent) bool
	hook  string // in Stats
}

func is(name string, want int64) func(witness.TraceEvent) bool {
	return func(e witness.TraceEvent) bool { v, ok := e.Int(name); return ok && v == want }
}

func isNot(name string, not int64) func(witness.TraceEvent) bool {
	return func(e witness.TraceEvent) bool { v, ok := e.Int(name); return ok && v != not }
}

func always(witness.TraceEvent) bool { return true }

// What our programs see, on functions or on tracepoints, is what a trace buffer sees on tracepoints, call by call, and each stack is
// there. Runs that the kernel has skipped are counted.
func TestSyscallsAreThoseOfATraceBuffer(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.BPFAdmin, testenv.Tracefs)
	const sigurg, setMask = 23, 2
	churn := []traced{
		{events.CloneExit, "sys_exit_clone", isNot("ret", 0), "sys_exit_clone"}, // 0 is the child's
		{events.CloneEnter, "sys_enter_clone", always, "sys_enter_clone"},
		{events.ExitEnter, "sys_enter_exit", always, "sys_enter_exit"},
		{events.Sigmask, "sys_enter_rt_sigprocmask", func(e witness.TraceEvent) bool {
			return is("how", setMask)(e) && isNot("nset", 0)(e)
		}, "sys_enter_rt_sigprocmask"},
		{events.Sigaltstack, "sys_enter_sigaltstack", isNot("uss", 0), "sys_enter_sigaltstack"},
	}
	storm := []traced{
		{events.TgkillEnter, "sys_enter_tgkill", is("sig", sigurg), "sys_enter_tgkill"},
		{events.TgkillExit, "sys_exit_tgkill", is("ret", 0), "sys_exit_tgkill"},
		{events.Sigreturn, "sys_enter_rt_sigreturn", always, "sys_enter_rt_sigreturn"},
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
	t.Logf("watched by %v", s.Hooks())
	trace := witness.StartTrace(t, append(names, "task/task_newtask", "sched/sched_process_exit"))
	initial := p.Threads()
	drain(t, s)
	p.Go()
	time.Sleep(time.Second) // the length of the run
	p.Stop()
	own := witness.OfThreads(trace.Stop(), initial)
	told, stackless := map[events.Kind]int{}, 0
	for _, e := range drain(t, s) {
		told[e.Kind]++
		stack := map[events.Kind]int{events.CloneEnter: events.ArgCloneStack, events.ExitEnter: events.ArgStack, events.TgkillEnter: events.ArgStack}
		if arg, ok := stack[e.Kind]; ok && e.Args[arg] == 0 {
			stackless++
		}
	}
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
		for _, e := range own {
			if e.Name == k.event && k.ours(e) {
				want++
			}
		}
		t.Logf("%s: %d, the trace %d, skipped %d", k.kind, told[k.kind], want, skipped[k.hook])
		if want == 0 || told[k.kind] > want || told[k.kind]+skipped[k.hook] < want {
			t.Errorf("%d events %s, the trace has %d, and %d runs were skipped", told[k.kind], k.kind, want, skipped[k.hook])
		}
	}
	if stackless > 0 {
		t.Errorf("%d events without a stack", stackless)
	}
}

// A set of signals that is known beforehand is the one that the kernel is given.
func TestSignalMasks(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.BPFAdmin)
	told := map[bool]map[uint64]int{}
	for _, known := range []bool{false, true} {
		p := testenv.Workload(t, "churn", "-hold")
		info, err := goruntime.Read(p.PID)
		if err != nil {
			t.Fatal(err)
		}
		if len(info.SignalMasks) != maxMasks {
			t.Fatalf("the program has the masks %+v", info.SignalMasks)
		}
		if !known {
			info.SignalMasks = nil
		}
		s := attachTo(t, p.PID, Config{Runtime: info})
		p.Go()
		time.Sleep(300 * time.Millisecond) // the length of the run
		p.Stop()
		told[known] = map[uint64]int{}
		for _, e := range drain(t, s) {
			if e.Kind == events.Sigmask {
				told[known][e.Args[events.ArgValue]]++
			}
		}
	}
	t.Logf("sets, and how often: read %x, known %x", told[false], told[true])
	if len(told[false]) < 2 {
		t.Fatalf("the program has set the masks %x only", told[false])
	}
	for set := range told[true] {
		if told[false][set] == 0 {
			t.Errorf("nobody asks for the mask %#x", set)
		}
	}
	if len(told[true]) != len(told[false]) {
		t.Errorf("%d different masks, want %d", len(told[true]), len(told[false]))
	}
}
