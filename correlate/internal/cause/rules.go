package cause

// rule names a cause by functions of the runtime. The first rule whose functions are all on the
// stack decides. They may stand anywhere on it: helpers between them come, go and are inlined from
// release to release. A name stands for its closures too.
type rule struct {
	cause string
	all   []string
}

// createRules: what the runtime creates an M for. Sources: the callers of newm, newm1, startm,
// handoffp and wakep in runtime/proc.go, Go 1.13 to 1.27.
var createRules = []rule{
	{"start_the_world", []string{"startTheWorldWithSema"}},
	{TemplateThread, []string{"templateThread"}},
	{TemplateThread, []string{"startTemplateThread"}},
	{"locked_park", []string{"stoplockedm"}},           // a locked M parks and gives its P away
	{"locked_exit", []string{"mexit"}},                 // an M ends and gives its P away
	{"sysmon_handoff", []string{"handoffp", "retake"}}, // sysmon takes the P of an M in a long system call
	{"syscall_handoff", []string{"entersyscallblock"}}, // an M gives its P away before it blocks
	{"for_each_p", []string{"handoffp", "forEachP"}},   // a P of an M in a system call has to do something
	{"gc_worker", []string{"gcBgMarkStartWorkers"}},
	{"gc_worker", []string{"gcStart"}},
	{"gc_worker", []string{"gcMarkDone"}},
	{"scheduler_enable", []string{"schedEnableUser"}}, // user goroutines may run again
	{"inject", []string{"injectglist"}},               // goroutines that network or timers made runnable
	{"spinning_wake", []string{"wakep"}},              // more to run than Ms that search for work
	{"spinning_wake", []string{"startm", "resetspinning"}},
	{"spinning_wake", []string{"startm", "ready"}},
	{"spinning_wake", []string{"startm", "newproc1"}},
	{"spinning_wake", []string{"startm", "newproc"}},
	{"spinning_wake", []string{"startm", "sysmon"}}, // the scavenger, or timers that no M serves
	{"runtime_init", []string{"newm", "main"}},      // runtime.main starts sysmon
}

// parkRules: how a locked thread comes to wait in the scheduler for a goroutine that was preempted.
var parkRules = []rule{
	{GivenUp, []string{"stoplockedm", "preemptPark"}},
	{GivenUp, []string{"stoplockedm", "gopreempt_m"}},
}

// preemptRules: why the runtime sends SIGURG. Sources: the callers of preemptone, preemptall and
// suspendG.
var preemptRules = []rule{
	{"for_each_p", []string{"forEachP"}},
	{StopTheWorld, []string{"stopTheWorldWithSema"}},
	{StopTheWorld, []string{"freezetheworld"}},
	{"sysmon_retake", []string{"retake"}},
	{"gc_stack_scan", []string{"suspendG", "markroot"}},
	{"gc_stack_scan", []string{"suspendG", "gcDrain"}},
	{"gc_stack_scan", []string{"suspendG", "gcDrainMarkWorkerIdle"}},
	{"gc_worker", []string{"enlistWorker"}}, // another P is to help marking
	{"trace", []string{"suspendG", "traceAdvance"}},
}

// stopReasons: what the world is stopped for, by the function that stops it. Sources: stwReason in
// runtime/proc.go, and the strings that came before it.
var stopReasons = []struct{ function, reason string }{
	{"gcStart", "GC sweep termination"},
	{"gcMarkDone", "GC mark termination"},
	{"GOMAXPROCS", "GOMAXPROCS"},
	{"SetDefaultGOMAXPROCS", "GOMAXPROCS"},
	{"updateMaxProcsGoroutine", "GOMAXPROCS"},
	{"updateMaxProcsG", "GOMAXPROCS"},
	{"ReadMemStats", "ReadMemStats"},
	{"Stack", "stacks of all goroutines"},
	{"goroutineProfileWithLabelsConcurrent", "goroutine profile"},
	{"goroutineProfileWithLabelsSync", "goroutine profile"},
	{"goroutineProfileWithLabels", "goroutine profile"},
	{"GoroutineProfile", "goroutine profile"},
	{"goroutineLeakProfileWithLabelsConcurrent", "goroutine leak profile"},
	{"ThreadCreateProfile", "thread profile"},
	{"StartTrace", "start of tracing"},
	{"traceEnable", "start of tracing"},
	{"StopTrace", "end of tracing"},
	{"traceAdvance", "end of tracing"},
	{"traceStop", "end of tracing"},
	{"doAllThreadsSyscall", "system call on all threads"},
	{"syscall_runtime_doAllThreadsSyscall", "system call on all threads"},
	{"AllThreadsSyscall", "system call on all threads"},
	{"debug_WriteHeapDump", "heap dump"},
	{"runtime_debug_WriteHeapDump", "heap dump"},
	{"freezetheworld", "crash"},
}
