package cause

import (
	"strings"
	"testing"
)

// Every rule, by a stack of the runtimes of Go 1.13 to 1.27. A function that is not in the Go
// program is written as -.
var stacks = []struct {
	what  What
	stack string
	want  Class
}{
	{Create, "clone newosproc newm1 newm startTheWorldWithSema gcStart.func3 systemstack gcStart main.alloc",
		Class{"start_the_world", "", "main.alloc"}},
	{Create, "clone newosproc newm1 templateThread mstart1 mstart0", Class{"template_thread", "", ""}},
	// The C library makes the threads of a program with C; "-" is a function that is not Go's.
	{Create, "- newm1 templateThread mstart1 mstart0", Class{"template_thread", "", ""}},
	{Create, "- newm1 newm startm handoffp retake sysmon mstart1", Class{"sysmon_handoff", "", ""}},
	{Create, "- asmcgocall cgocall main._Cfunc_spawn main.resolve", Class{"cgo", "", "main.resolve"}},
	{Create, "clone newosproc newm1 newm startTemplateThread LockOSThread main.pin",
		Class{"template_thread", "", "main.pin"}},
	{Create, "clone newosproc newm1 newm startm handoffp stoplockedm schedule park_m", Class{"locked_park", "", ""}},
	{Create, "clone newosproc newm1 newm startm handoffp mexit mstart0", Class{"locked_exit", "", ""}},
	{Create, "clone newosproc newm1 newm startm handoffp retake sysmon mstart1", Class{"sysmon_handoff", "", ""}},
	{Create, "clone newosproc newm1 newm startm handoffp entersyscallblock_handoff systemstack entersyscallblock " +
		"os/signal.loop",
		Class{"syscall_handoff", "", "os/signal.loop"}},
	{Create, "clone newosproc newm1 newm startm handoffp systemstack entersyscallblock notetsleepg",
		Class{"syscall_handoff", "", ""}},
	{Create, "clone newosproc newm1 newm startm handoffp forEachP gcMarkDone.func1 systemstack",
		Class{"for_each_p", "", ""}},
	{Create, "clone newosproc newm1 newm startm handoffp forEachPInternal forEachP.func1 systemstack",
		Class{"for_each_p", "", ""}},
	{Create, "clone newosproc newm1 newm startm wakep newproc.func1 systemstack newproc gcBgMarkStartWorkers gcStart " +
		"main.alloc",
		Class{"gc_worker", "", "main.alloc"}},
	{Create, "clone newosproc newm1 newm startm wakep ready gcStart", Class{"gc_worker", "", ""}},
	{Create, "clone newosproc newm1 newm startm wakep ready gcMarkDone gcBgMarkWorker", Class{"gc_worker", "", ""}},
	{Create, "clone newosproc newm1 newm startm schedEnableUser gcMarkTermination.func4",
		Class{"scheduler_enable", "", ""}},
	{Create, "clone newosproc newm1 newm startm injectglist.func1 injectglist findRunnable schedule",
		Class{"inject", "", ""}},
	{Create, "clone newosproc newm1 newm main.func1 systemstack main", Class{"runtime_init", "", ""}},
	{Create, "clone newosproc newm1 newm startm wakep newproc.func1 systemstack newproc main.main main",
		Class{"spinning_wake", "", "main.main"}},
	{Create, "clone newosproc newm1 newm startm resetspinning schedule", Class{"spinning_wake", "", ""}},
	{Create, "clone newosproc newm1 newm startm ready goready.func1 systemstack chansend time.sendTime",
		Class{"spinning_wake", "", "time.sendTime"}},
	{Create, "clone newosproc newm1 newm startm newproc1 newproc.func1 main.main",
		Class{"spinning_wake", "", "main.main"}},
	{Create, "clone newosproc newm1 newm startm newproc main.main", Class{"spinning_wake", "", "main.main"}},
	{Create, "clone newosproc newm1 newm startm sysmon mstart1", Class{"spinning_wake", "", ""}},
	{Create, "- - asmcgocall.abi0 cgocall main._Cfunc_start main.main", Class{"cgo", "", "main.main"}},
	{Create, "- -", Class{"cgo", "", ""}},
	{Create, "- - asmcgocall newm1 newm startm handoffp stoplockedm schedule", Class{"locked_park", "", ""}},
	{Create, "clone newosproc newm1 newm startm somethingNew", Class{"other", "", ""}},
	{Create, "", Class{"unknown", "", ""}},

	{Preempt, "tgkill preemptM preemptone preemptall forEachP gcMarkDone.func1", Class{"for_each_p", "", ""}},
	{Preempt, "tgkill preemptM preemptone preemptall forEachPInternal forEachP.func1", Class{"for_each_p", "", ""}},
	{Preempt, "tgkill preemptM preemptone retake sysmon", Class{"sysmon_retake", "", ""}},
	{Preempt, "tgkill preemptM suspendG markroot.func1 systemstack markroot gcDrain", Class{"gc_stack_scan", "", ""}},
	{Preempt, "tgkill preemptM suspendG gcDrain", Class{"gc_stack_scan", "", ""}},
	{Preempt, "tgkill preemptM suspendG gcDrainMarkWorkerIdle", Class{"gc_stack_scan", "", ""}},
	{Preempt, "tgkill preemptM preemptone (*gcControllerState).enlistWorker main.alloc",
		Class{"gc_worker", "", "main.alloc"}},
	{Preempt, "tgkill preemptM suspendG traceAdvance.func4 systemstack traceAdvance", Class{"trace", "", ""}},
	{Preempt, "tgkill preemptM preemptone preemptall freezetheworld startpanic_m", Class{"stop_the_world", "crash", ""}},
	{Preempt, "tgkill main.kill", Class{"other", "", "main.kill"}},
	{Preempt, "", Class{"unknown", "", ""}},
}

// The functions that stop the world, and what for.
var stops = map[string]string{
	"gcStart.func2 systemstack gcStart":       "GC sweep termination",
	"gcMarkDone.func2 systemstack gcMarkDone": "GC mark termination",
	"GOMAXPROCS":              "GOMAXPROCS",
	"SetDefaultGOMAXPROCS":    "GOMAXPROCS",
	"updateMaxProcsGoroutine": "GOMAXPROCS",
	"updateMaxProcsG":         "GOMAXPROCS",
	"ReadMemStats":            "ReadMemStats",
	"Stack":                   "stacks of all goroutines",
	"goroutineProfileWithLabelsConcurrent pprof_x": "goroutine profile",
	"goroutineProfileWithLabelsSync":               "goroutine profile",
	"goroutineProfileWithLabels":                   "goroutine profile",
	"GoroutineProfile":                             "goroutine profile",
	"goroutineLeakProfileWithLabelsConcurrent":     "goroutine leak profile",
	"ThreadCreateProfile":                          "thread profile",
	"StartTrace":                                   "start of tracing",
	"traceEnable":                                  "start of tracing",
	"StopTrace":                                    "end of tracing",
	"traceAdvance.func2":                           "end of tracing",
	"traceStop":                                    "end of tracing",
	"doAllThreadsSyscall":                          "system call on all threads",
	"syscall_runtime_doAllThreadsSyscall":          "system call on all threads",
	"AllThreadsSyscall":                            "system call on all threads",
	"debug_WriteHeapDump":                          "heap dump",
	"runtime_debug_WriteHeapDump":                  "heap dump",
	"freezetheworld":                               "crash",
	"someNewFunction":                              "unknown",
}

func functionsOf(stack string) (functions []string) {
	for _, name := range strings.Fields(stack) {
		switch {
		case name == "-":
			name = ""
		case !strings.Contains(name, "."), strings.HasPrefix(name, "("), strings.HasSuffix(name, ".abi0"),
			strings.Contains(name, ".func") && !strings.HasPrefix(name, "main.main"):
			name = "runtime." + strings.TrimSuffix(name, ".abi0")
		}
		functions = append(functions, name)
	}
	return functions
}

func TestClassify(t *testing.T) {
	for _, s := range stacks {
		if got := Classify(s.what, functionsOf(s.stack)); got != s.want {
			t.Errorf("%s by %q: %+v, want %+v", s.what, s.stack, got, s.want)
		}
	}
}

func TestStopReason(t *testing.T) {
	for stopper, want := range stops {
		stack := "tgkill preemptM preemptone preemptall stopTheWorldWithSema stopTheWorld.func1 systemstack " + stopper
		got := Classify(Preempt, functionsOf(stack+" main.main"))
		if got.Cause != "stop_the_world" || got.Reason != want || got.Function != "main.main" {
			t.Errorf("stopped by %s: %+v, want %q", stopper, got, want)
		}
	}
}

// Every rule and every reason has a stack that no rule before it in its table matches.
func TestEveryRuleHasItsStack(t *testing.T) {
	decides := func(rules []rule, stack string) int {
		for i, r := range rules {
			if onStack(functionsOf(stack), r.all) {
				return i
			}
		}
		return -1
	}
	for what, rules := range map[What][]rule{Create: createRules, Preempt: preemptRules} {
		seen := map[int]bool{}
		for _, s := range stacks {
			if s.what == what {
				seen[decides(rules, s.stack)] = true
			}
		}
		for stop := range stops {
			i := decides(rules, "stopTheWorldWithSema "+stop)
			seen[i] = what == Preempt || seen[i]
		}
		for i, r := range rules {
			if !seen[i] {
				t.Errorf("%s: no stack for %s by %v", what, r.cause, r.all)
			}
		}
	}
	for _, r := range stopReasons {
		if _, ok := stops[r.function]; ok {
			continue
		}
		found := false
		for stopper := range stops {
			found = found || strings.HasPrefix(stopper, r.function+" ") || strings.HasPrefix(stopper, r.function+".func")
		}
		if !found {
			t.Errorf("no stack for stopped by %s", r.function)
		}
	}
}
