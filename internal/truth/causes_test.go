package truth

import (
	"debug/elf"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/testenv/witness"
)

// stackScript counts the stacks from which threads are created and SIGURGs are sent. Its arguments
// are the pids of the target and of this process, which pokes it by calls that fail or do nothing.
const stackScript = `
tracepoint:syscalls:sys_enter_clone {
	if (pid == %[1]d) { @create[ustack] = count(); }
	if (pid == %[2]d) { printf("ready clone\n"); }
}
tracepoint:syscalls:sys_enter_tgkill {
	if (pid == %[1]d && args->sig == 23) { @preempt[ustack] = count(); }
	if (pid == %[2]d) { printf("ready tgkill\n"); }
}`

func startStacks(t *testing.T, pid int) *witness.Script {
	t.Helper()
	poke := func() {
		_, _, _ = unix.RawSyscall(unix.SYS_CLONE, unix.CLONE_THREAD, 0, 0) // without CLONE_SIGHAND: EINVAL
		_ = unix.Tgkill(os.Getpid(), os.Getpid(), 0)
	}
	return witness.StartScript(t, fmt.Sprintf(stackScript, pid, os.Getpid()), poke, "ready clone", "ready tgkill")
}

// tracedStack is a stack that bpftrace saw, and how often.
type tracedStack struct {
	what   string   // create, preempt
	frames []string // functions, innermost first; inlined ones are not there
	n      uint64
}

var stackPattern = regexp.MustCompile(`(?ms)^@(\w+)\[\n(.*?)^\]: (\d+)$`)

func tracedStacks(t *testing.T, p *testenv.Proc, text string) (stacks []tracedStack) {
	t.Helper()
	exe, err := elf.Open(fmt.Sprintf("/proc/%d/exe", p.PID))
	if err != nil {
		t.Fatal(err)
	}
	defer exe.Close()
	symbols, err := exe.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range stackPattern.FindAllStringSubmatch(text, -1) {
		s := tracedStack{what: m[1]}
		for frame := range strings.FieldsSeq(m[2]) {
			pc, err := strconv.ParseUint(frame, 0, 64)
			if err != nil { // bpftrace gives names as a rule, but not always
				name, _, _ := strings.Cut(frame, "+")
				s.frames = append(s.frames, name)
				continue
			}
			i := slices.IndexFunc(symbols, func(s elf.Symbol) bool { return s.Value < pc && pc <= s.Value+s.Size })
			if i >= 0 {
				s.frames = append(s.frames, symbols[i].Name)
			}
		}
		if s.n, err = strconv.ParseUint(m[3], 10, 64); err != nil {
			t.Fatal(err)
		}
		stacks = append(stacks, s)
	}
	return stacks
}

// contains reports whether a function of the runtime, or a closure in it, is on the stack.
func (s tracedStack) contains(function string) bool {
	pattern := regexp.MustCompile(`^runtime\.(\(\*\w+\)\.)?` + function + `(\.func[\d.]+)*(\.abi0)?$`)
	return slices.ContainsFunc(s.frames, pattern.MatchString)
}

// tracedCauses are the causes by a function on the stack; the first that fits counts.
var tracedCauses = map[string][][2]string{ // function, cause
	"create": {
		{"startTheWorldWithSema", "start_the_world"}, {"templateThread", "template_thread"},
		{"startTemplateThread", "template_thread"},
		{"stoplockedm", "locked_park"}, {"mexit", "locked_exit"}, {"retake", "sysmon_handoff"},
		{"entersyscallblock", "syscall_handoff"},
		{"forEachPInternal", "for_each_p"}, {"gcStart", "gc_worker"}, {"injectglist", "inject"},
		{"wakep", "spinning_wake"},
		{"resetspinning", "spinning_wake"}, {"ready", "spinning_wake"},
	},
	"preempt": {
		{"forEachPInternal", "for_each_p"}, {"stopTheWorldWithSema", "stop_the_world"}, {"retake", "sysmon_retake"},
		{"suspendG", "gc_stack_scan"}, {"enlistWorker", "gc_worker"},
	},
}

var tracedReasons = [][2]string{
	{"gcStart", "GC sweep termination"}, {"gcMarkDone", "GC mark termination"}, {"ReadMemStats", "ReadMemStats"},
}

// class is the cause that the stack shows, with the reason of a stop of the world.
func (s tracedStack) class() string {
	for _, c := range tracedCauses[s.what] {
		if !s.contains(c[0]) {
			continue
		}
		if c[1] == "stop_the_world" {
			for _, r := range tracedReasons {
				if s.contains(r[0]) {
					return c[1] + ", " + r[1]
				}
			}
		}
		return c[1]
	}
	return "other"
}

// TestCausesAreOnTheStacks compares the causes of new threads and of SIGURGs with the same stacks
// as bpftrace takes them. Each cause is found as often, and none is missing.
func TestCausesAreOnTheStacks(t *testing.T) {
	for _, c := range []struct {
		workload string
		want     []string // causes that there must be
	}{
		{"demo", []string{"exit locked"}},
		{"storm", []string{"preempt stop_the_world, ReadMemStats"}},
		{"storm -gc", []string{"preempt stop_the_world, GC sweep termination",
			"preempt stop_the_world, GC mark termination"}},
		{"blocked", nil},
	} {
		t.Run(c.workload, func(t *testing.T) {
			agree(t, func() []string { return compareCauses(t, c.workload, c.want) })
		})
	}
}

// TestCausesBesideC: where the C library makes the runtime's threads, nearly all of them have a
// cause, as without C.
func TestCausesBesideC(t *testing.T) {
	work := time.Second
	if testenv.Emulated() { // an emulator makes a thread or two in that time
		work *= 10
	}
	w := watch{workload: []string{"churn"}, start: testenv.CgoWorkload, work: work}.run(t)
	checkCauses(t, &w.report)
	if got := causes(&w.report); got["create template_thread"] == 0 || got["create cgo"] > 0 {
		t.Errorf("%v", got)
	}
}

func compareCauses(t *testing.T, workload string, needed []string) (problems []string) {
	t.Helper()
	var stacks *witness.Script
	var text string
	w := watch{workload: strings.Fields(workload), work: time.Second,
		beside: func(t *testing.T, p *testenv.Proc) { stacks = startStacks(t, p.PID) },
		after:  func() { text = stacks.Stop() },
	}.run(t)
	checkCauses(t, &w.report)
	got, want := causes(&w.report), map[string]uint64{}
	for _, s := range tracedStacks(t, w.proc, text) {
		want[s.what+" "+s.class()] += s.n
		if s.class() == "other" {
			t.Logf("%s %d times: %q", s.what, s.n, s.frames)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if !strings.HasPrefix(key, "exit ") && got[key] != want[key] {
			problems = append(problems, fmt.Sprintf("%s: %d, bpftrace has %d", key, got[key], want[key]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] == 0 {
			problems = append(problems, fmt.Sprintf("%s: none, bpftrace has %d", key, want[key]))
		}
	}
	for _, key := range needed {
		if got[key] == 0 {
			problems = append(problems, key+": none")
		}
	}
	t.Logf("%v", got)
	return problems
}

// causes are the numbers of a report's causes, by what and cause, and reason if any.
func causes(r *report.Report) map[string]uint64 {
	n := map[string]uint64{}
	for _, c := range r.Causes {
		key := c.What + " " + c.Cause
		if c.Reason != nil {
			key += ", " + *c.Reason
		}
		n[key] += c.N
	}
	return n
}

// checkCauses: each thread created or ended and each signal has one cause, nearly all of them a
// real one.
func checkCauses(t *testing.T, r *report.Report) {
	t.Helper()
	all, vague := map[string]uint64{}, map[string]uint64{}
	for _, c := range r.Causes {
		all[c.What] += c.N
		if c.Cause == "other" || c.Cause == "unknown" {
			vague[c.What] += c.N
		}
	}
	c := r.Counts
	for what, want := range map[string]uint64{"create": c.ThreadsCreated, "exit": c.ThreadsExited,
		"preempt": *c.SigurgSent} {
		if all[what] != want || 20*vague[what] > want {
			t.Errorf("%s: %d causes of %d, %d of them other or unknown: %+v", what, all[what], want, vague[what],
				r.Unclassified)
		}
	}
}
