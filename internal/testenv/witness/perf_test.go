package witness

import (
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

func TestParsePerfEvent(t *testing.T) {
	for _, c := range []struct {
		line string
		want TraceEvent
	}{
		{" 30327 [001] 22576.619404030:               task:task_newtask: pid=30333 comm=a b clone_flags=d0f00 " +
			"oom_score_adj=0",
			TraceEvent{22576619404030, 1, 30327, "task_newtask", map[string]string{"pid": "30333", "comm": "a b",
				"clone_flags": "0xd0f00", "oom_score_adj": "0"}}},
		{"   -1 [000] 7.000000001: sched:sched_switch: prev_comm=a prev_pid=5 prev_prio=120 prev_state=X ==> " +
			"next_comm=swapper/0 next_pid=0 next_prio=120",
			TraceEvent{7000000001, 0, 5, "sched_switch", map[string]string{"prev_comm": "a", "prev_pid": "5", "prev_prio": "120",
				"prev_state": "X",
				"next_comm":  "swapper/0", "next_pid": "0", "next_prio": "120"}}},
		{"5 [111] 7.000000002: raw_syscalls:sys_enter: NR 234 (6a1a, 6a21, 17, 0, 0, 0)",
			TraceEvent{7000000002, 111, 5, "sys_enter_tgkill", map[string]string{"tgid": "0x6a1a", "pid": "0x6a21",
				"sig": "0x17"}}},
		{"5 [111] 7.000000003: raw_syscalls:sys_exit: NR 234 = -11", TraceEvent{7000000003, 111, 5, "sys_exit_tgkill",
			map[string]string{"ret": "-11"}}},
		{"5 [111] 7.000000004: raw_syscalls:sys_exit: NR -1 = 0", TraceEvent{7000000004, 111, 5, "sys_exit",
			map[string]string{}}},
	} {
		line := strings.ReplaceAll(c.line, "NR 234", "NR "+numberOf("tgkill"))
		if got, err := parsePerfEvent(line); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s\n got %+v, %v\nwant %+v", line, got, err, c.want)
		}
	}
	for _, line := range []string{
		"27894 [001] 23834.033693999: PERF_RECORD_LOST lost 378", "5 [0] 7.000000003: raw_syscalls:sys_exit: what",
		"5 [0] 7.003: a:b: c=d", "",
	} {
		if e, err := parsePerfEvent(line); err == nil {
			t.Errorf("%q passed as %+v", line, e)
		}
	}
}

func numberOf(call string) string {
	for nr, c := range rawCalls {
		if c.name == call {
			return strconv.Itoa(nr)
		}
	}
	return ""
}

func TestParsePerfSyscall(t *testing.T) {
	for line, want := range map[string]PerfSyscall{
		"22767297.159 ( 0.023 ms): wl/27929 clone3(uargs: 0x7f2e3bffe9f0, size: 88)            = 2223": {22767297159000,
			23000, 27929, "clone3", 2223},
		"   821.209 ( 0.044 ms): B.wl/30327  ... [continued]: clone())             = 30333 (B.wl)": {821209000, 44000,
			30327, "clone", 30333},
	} {
		if got, ok := parsePerfSyscall(line); !ok || got != want {
			t.Errorf("%s: %+v, %t, want %+v", line, got, ok, want)
		}
	}
	if c, ok := parsePerfSyscall("   821.318 (         ): B.wl/30327 exit()             = ?"); ok {
		t.Errorf("a call without an end passed as %+v", c)
	}
}

func TestParsePerfRun(t *testing.T) {
	for line, want := range map[string]PerfRun{
		"   22575.800066 [0000]  sleep[30330]                        0.000      0.052      1.647 ": {22575800066000, 30330,
			1647000, 52000},
		"   22767.301636 [0000]  :-1[-1/27925]                       0.000      0.000      0.265 ": {22767301636000, -1,
			265000, 0},
		"   22767.504110 [0001]  a [b]-eve[15052/15051]              0.000      0.000      0.051 ": {22767504110000, 15052,
			51000, 0},
	} {
		if got, ok := parsePerfRun(line); !ok || got != want {
			t.Errorf("%s: %+v, %t, want %+v", line, got, ok, want)
		}
	}
	const idle = "   22575.798419 [0000]  <idle>                              0.000      0.000      0.201 "
	if r, ok := parsePerfRun(idle); ok {
		t.Errorf("the idle task's run passed as %+v", r)
	}
}

// perf has what the workload that made the events accounts for.
func TestPerfAgreesWithChurn(t *testing.T) {
	p := testenv.Workload(t, "churn", "-hold", "-rate", "300")
	perf := StartPerf(t, "workload", []string{
		"raw_syscalls/sys_enter", "raw_syscalls/sys_exit",
		"task/task_newtask", "sched/sched_process_exit", "sched/sched_switch",
	})
	initial := p.Threads()
	p.Go()
	time.Sleep(400 * time.Millisecond) // the length of the run
	a := p.Quiesce()
	p.Quiet()
	events := OfThreads(perf.Stop(), initial)
	dead := 0
	for _, e := range events {
		if out, _, ok := e.Switch(); ok && out.Dead && out.TID != 0 {
			dead++
		}
	}
	exits, returns := CountEvents(events, a.Start, testenv.Now(), "sys_enter_exit"), 0
	for _, c := range perf.Syscalls() {
		if c.Name == "clone" && c.Time >= a.Start-1000 && c.Ret > 0 {
			returns++
		}
	}
	clones := CountEvents(events, a.Start, testenv.Now(), "task_newtask")
	if exits != int(a.LockedExits) || dead != exits || clones == 0 || returns < clones {
		t.Errorf("%d exits, %d last switches, %d threads made, %d returns by perf trace; the account has %d exits",
			exits, dead, clones, returns, a.LockedExits)
	}
	if runs := perf.Runs(); len(runs) < exits {
		t.Errorf("%d runs by perf sched", len(runs))
	}
}
