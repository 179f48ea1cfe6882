package witness

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

func TestParseTrace(t *testing.T) {
	const text = `# tracer: nop
#
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
     my - [1] go-27170   [001] d..1.  1869.426041: signal_generate: sig=23 errno=0 code=-6 comm=a b pid=27169 grp=0 res=2
           pw-wl-27163   [001] .....  1869.426040: sys_tgkill(tgid: 0x6a1a, pid: 0x6a21, sig: 0x17)
           pw-wl-27162   [000] .....  1869.426042: sys_tgkill(tgid: 6a1a, pid: 6a21, sig: 17)
           pw-wl-27162   [000] .....  1869.426043: sys_rt_sigreturn()
           pw-wl-27162   [000] .....  1869.426044: sys_clone -> 0xffffffffffffffea
          <idle>-0       [111] d..1.  1869.426045: signal_deliver: sig=23 errno=0 code=-6 sa_handler=487e20 sa_flags=1c000004
            bash-27157   [000] .....  11869.417705: task_newtask: pid=27161 comm=x=y clone_flags=1200000 oom_score_adj=0
`
	got, err := parseTrace(bufio.NewScanner(strings.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	tgkill := map[string]string{"tgid": "0x6a1a", "pid": "0x6a21", "sig": "0x17"}
	want := []TraceEvent{
		{1869426040000, 1, 27163, "sys_enter_tgkill", tgkill},
		{1869426041000, 1, 27170, "signal_generate", map[string]string{
			"sig": "23", "errno": "0", "code": "-6", "comm": "a b", "pid": "27169", "grp": "0", "res": "2"}},
		{1869426042000, 0, 27162, "sys_enter_tgkill", tgkill},
		{1869426043000, 0, 27162, "sys_enter_rt_sigreturn", map[string]string{}},
		{1869426044000, 0, 27162, "sys_exit_clone", map[string]string{"ret": "0xffffffffffffffea"}},
		{1869426045000, 111, 0, "signal_deliver", map[string]string{
			"sig": "23", "errno": "0", "code": "-6", "sa_handler": "0x487e20", "sa_flags": "0x1c000004"}},
		{11869417705000, 0, 27157, "task_newtask", map[string]string{
			"pid": "27161", "comm": "", "x": "y", "clone_flags": "0x1200000", "oom_score_adj": "0"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	if !got[4].is("ret", -22) || !got[5].is("sa_handler", 0x487e20) || got[1].is("comm", 0) || got[1].is("absent", 0) {
		t.Error("numbers are read wrong")
	}
}

func TestParseTraceRefuses(t *testing.T) {
	for _, line := range []string{
		"CPU:1 [LOST 4711 EVENTS]",
		"            bash-27157   [000] .....  1869.416248: what is this",
		"            bash-27157   [000] .....  1869.4162: sys_rt_sigreturn()",
		"            bash-99999999999   [000] .....  1869.416248: sys_rt_sigreturn()",
	} {
		if events, err := parseTrace(bufio.NewScanner(strings.NewReader(line))); err == nil {
			t.Errorf("%q passed as %+v", line, events)
		}
	}
}

func TestLosses(t *testing.T) {
	const clean = "entries: 638\noverrun: 0\ncommit overrun: 0\nbytes: 24612\ndropped events: 0\nread events: 0\n"
	if err := losses(clean); err != nil {
		t.Error(err)
	}
	for _, c := range []struct{ from, to string }{
		{"\noverrun: 0", "\noverrun: 1"}, {"commit overrun: 0", "commit overrun: 7"},
		{"dropped events: 0", "dropped events: 12"},
		{"\noverrun: 0", ""}, // a missing counter
	} {
		if stats := strings.Replace(clean, c.from, c.to, 1); losses(stats) == nil {
			t.Errorf("passed: %q", stats)
		}
	}
}

func TestOfThreads(t *testing.T) {
	event := func(tid int32, name string, args ...string) TraceEvent {
		e := TraceEvent{TID: tid, Name: name, Args: map[string]string{}}
		for i := 0; i < len(args); i += 2 {
			e.Args[args[i]] = args[i+1]
		}
		return e
	}
	selected := []TraceEvent{
		event(1, "task_newtask", "pid", "2", "clone_flags", "0x10000"),
		event(2, "sys_enter_exit"),
		event(1, "task_newtask", "pid", "3", "clone_flags", "0x0"), // a process, not a thread
		event(9, "signal_generate", "pid", "2", "sig", "23"),       // from outside
		event(0, "sched_switch", "next_pid", "2"),                  // from another process
		event(2, "sched_process_exit", "pid", "2"),
		event(2, "sched_switch", "next_pid", "0", "prev_state", "X"), // its last
	}
	foreign := []TraceEvent{
		event(2, "sys_enter_exit"), // before its birth and after its death the id is another process's
		event(9, "sys_enter_tgkill", "pid", "0x2"),
		event(3, "sys_enter_clone"),
		event(2, "sched_switch", "next_pid", "9"),
	}
	mixed := []TraceEvent{foreign[0], foreign[1]}
	for _, e := range selected {
		if e.Name == "sched_switch" { // the other thread does not matter
			e.Args = maps.Clone(e.Args)
			if e.TID == 0 {
				e.TID = 8
			} else {
				e.Args["next_pid"] = "8"
			}
		}
		mixed = append(mixed, e)
	}
	mixed = append(mixed, foreign[0], foreign[2], foreign[3])
	if got := OfThreads(mixed, []int32{1}); !reflect.DeepEqual(got, selected) {
		t.Errorf("got\n%+v\nwant\n%+v", got, selected)
	}
}

var threadEvents = []string{
	"syscalls/sys_enter_clone", "syscalls/sys_exit_clone", "syscalls/sys_enter_clone3", "syscalls/sys_exit_clone3",
	"syscalls/sys_enter_exit", "syscalls/sys_exit_exit", "syscalls/sys_enter_tgkill", "syscalls/sys_exit_tgkill",
	"syscalls/sys_enter_rt_sigreturn", "syscalls/sys_enter_rt_sigprocmask", "syscalls/sys_exit_rt_sigprocmask",
	"syscalls/sys_enter_sigaltstack", "syscalls/sys_exit_sigaltstack",
	"task/task_newtask", "sched/sched_process_exit", "signal/signal_generate", "signal/signal_deliver",
}

// The trace has what the workload that made the events accounts for: every ended thread, in order.
func TestTraceAgreesWithChurn(t *testing.T) {
	testenv.Require(t, testenv.Tracefs)
	p := testenv.Workload(t, "churn", "-hold", "-rate", "300")
	tr := StartTrace(t, threadEvents)
	initial := p.Threads()
	p.Go()
	time.Sleep(time.Second) // the length of the run
	a := p.Quiesce()
	final := p.Threads()
	events := OfThreads(tr.Stop(), initial)

	count := func(name string, args ...any) int { return CountEvents(events, a.Start, a.End, name, args...) }
	exits, ends := count("sys_enter_exit"), count("sched_process_exit")
	if a.LockedExits < 20 || exits != int(a.LockedExits) || ends != exits {
		t.Errorf("%d exits and %d ends in the trace; the account has %d", exits, ends, a.LockedExits)
	}
	var exited []int
	living := slices.Clone(initial)
	created := 0
	for _, e := range events {
		switch e.Name {
		case "sys_enter_exit":
			exited = append(exited, int(e.TID))
			living = slices.DeleteFunc(living, func(tid int32) bool { return tid == e.TID })
		case "task_newtask":
			tid, _ := e.Int("pid")
			living = append(living, int32(tid))
			created++
		}
	}
	if !slices.Equal(exited, a.LockedExitTIDs) {
		t.Errorf("threads exited\n%v\nthe account has\n%v", exited, a.LockedExitTIDs)
	}
	slices.Sort(living)
	living = slices.Compact(living) // one born between the start of the trace and the listing is in both
	slices.Sort(final)
	if !slices.Equal(living, final) {
		t.Errorf("threads left by the trace\n%v\nby /proc\n%v", living, final)
	}
	clones := CountEvents(events, 0, testenv.Now(), "sys_enter_clone")
	if created == 0 || clones != created {
		t.Errorf("%d clones made %d threads", clones, created)
	}
	checkGone(t)
}

// The counts of the kernel's signals agree with each other, for a workload that preempts itself.
func TestTraceSeesSignals(t *testing.T) {
	testenv.Require(t, testenv.Tracefs)
	p := testenv.Workload(t, "demo", "-hold")
	tr := StartTrace(t, threadEvents)
	initial := p.Threads()
	p.Go()
	time.Sleep(400 * time.Millisecond) // the length of the run
	a := p.Quiesce()
	p.Stop() // every pending signal is delivered or dead by now
	events := OfThreads(tr.Stop(), initial)

	const sigurg = 23
	count := func(name string, args ...any) int { return CountEvents(events, 0, testenv.Now(), name, args...) }
	sent := count("sys_enter_tgkill", "sig", sigurg)
	generated, coalesced := count("signal_generate", "sig", sigurg), count("signal_generate", "sig", sigurg, "res", 2)
	delivered := count("signal_deliver", "sig", sigurg)
	if sent < int(a.End-a.Start)/100e6 || sent != generated || sent != count("sys_exit_tgkill", "ret", 0) {
		t.Errorf("SIGURG: %d sent, %d generated in %d ms", sent, generated, (a.End-a.Start)/1e6)
	}
	// The stop may kill a thread that has one pending.
	if lost := generated - coalesced - delivered; lost < 0 || lost > 1 {
		t.Errorf("SIGURG: %d generated, %d of them coalesced, %d delivered", generated, coalesced, delivered)
	}
	if exits := CountEvents(events, a.Start, a.End, "sys_enter_exit"); exits != int(a.LockedExits) {
		t.Errorf("%d exits in the trace; the account has %d", exits, a.LockedExits)
	}
}

func TestStartTraceRefusesSwitches(t *testing.T) {
	testenv.Require(t, testenv.Tracefs)
	r := testenv.Record(func(t testing.TB) { StartTrace(t, []string{"sched/sched_switch"}) })
	if !strings.Contains(r.FatalText, "StartSwitches") {
		t.Errorf("%+v", r)
	}
}

func TestFailedTraceLeavesNothing(t *testing.T) {
	testenv.Require(t, testenv.Tracefs)
	r := testenv.Record(func(t testing.TB) { StartTrace(t, []string{"sched/no_such_event"}) })
	if !strings.Contains(r.FatalText, "no_such_event") || len(r.Errors) > 0 {
		t.Errorf("%+v", r)
	}
	checkGone(t)
}

// checkGone fails the test if a trace instance of this process is left.
func checkGone(t *testing.T) {
	t.Helper()
	mount, release, err := testenv.MountTracefs()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	left, err := filepath.Glob(fmt.Sprintf("%s/instances/pinwatch-%d-*", mount, os.Getpid()))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
