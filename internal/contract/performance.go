package contract

// The specification writes "~" before its costs, except those of a call: see about. ns.
const (
	creationLo, creationHi       = 10_000, 50_000
	destructionLo, destructionHi = 10_000, 30_000
	preemptionLo, preemptionHi   = 1_000, 3_000
	callLimit                    = 100
	growthLimit                  = 10e6
	// tlsLo and tlsHi are 5 % and 25 % more throughput.
	tlsLo, tlsHi = 1.05, 1.25
)

var sinceLinux = Scope{Since: 16, OS: "Linux", Arch: "amd64"}

var performance = []Statement{
	{
		ID: "P-1", Section: Performance, Scope: sinceLinux,
		Claim: "each locked goroutine takes exactly one thread out of general scheduling",
		Method: "a number of goroutines lock themselves; the locked threads in the runtime's memory, and threads " +
			"that were started only for them",
		Refuter: "more or fewer threads taken than goroutines locked",
		Want:    "1 thread each",
		Clauses: []Clause{
			{From: "pins", Test: Always{Good: "locked_threads", Of: "pinned", Least: 3,
				Words: "%s threads locked for %s goroutines"},
				Holds:  "each locked goroutine had a thread to itself",
				Broken: "locked threads and locked goroutines differ in number"},
			{From: "pins", Role: Exception, Test: Never{Bad: "template_threads", Of: "pinned", Least: 1,
				Words: "threads taken besides: %s, for %s locked goroutines"},
				Holds:  "no other thread was taken",
				Broken: "one more thread was taken: the template thread, as the runtime's memory shows"},
		},
	}, {
		ID: "P-2", Section: Performance, Scope: sinceLinux,
		Claim: "when locks or blocking leave no thread for goroutines that are ready, the runtime makes new ones " +
			"within 10 ms",
		Method: "bursts of goroutines that lock themselves and block until no thread is left; time from the last " +
			"block to the first run of a waiting goroutine on a new thread; 99th percentile",
		Refuter: "more than one of a hundred later than 10 ms",
		Want:    "99 of 100 within 10 ms",
		Clauses: []Clause{{From: "saturate", Test: Tail{Sample: "growth", Limit: growthLimit},
			Holds: "new threads ran in time", Broken: "new threads took longer to run"}},
	}, {
		ID: "P-3", Section: Performance, Scope: sinceLinux,
		Claim:   "a call of LockOSThread costs less than 100 ns",
		Method:  "loops of calls timed as a whole; the first call of a process apart, in several processes; medians",
		Refuter: "a median of 100 ns or more",
		Want:    "< 100 ns",
		Clauses: []Clause{
			{From: "calls", Test: Within{Sample: "lock", Label: "later calls", Lo: 0, Hi: callLimit},
				Holds: "a call costs less", Broken: "a call costs more"},
			{From: "calls", Role: Exception, Test: Within{Sample: "first_lock", Label: "first call", Lo: 0,
				Hi: callLimit},
				Holds:  "the first call too",
				Broken: "except for the first call of a process"},
		},
	}, {
		ID: "P-4", Section: Performance, Scope: sinceLinux,
		Claim:   "a call of UnlockOSThread costs less than 100 ns",
		Method:  "loops of calls timed as a whole; median",
		Refuter: "a median of 100 ns or more",
		Want:    "< 100 ns",
		Clauses: []Clause{{From: "calls", Test: Within{Sample: "unlock", Lo: 0, Hi: callLimit},
			Holds: "a call costs less", Broken: "a call costs more"}},
	}, {
		ID: "P-5", Section: Performance, Scope: sinceLinux,
		Claim: "preempting a locked goroutine by SIGURG takes 1–3 µs of kernel time",
		Method: "garbage collections interrupt a locked loop; kernel events: tgkill alone is the lower bound, " +
			"tgkill to delivery on a running thread the upper; both medians",
		Refuter: "both bounds outside the range, or collections without a SIGURG",
		Want:    "1–3 µs",
		Clauses: []Clause{
			{From: "storm", Test: Happens{Count: "sigurg_sent", Of: "collections", Least: 50,
				Words: "%s SIGURG in %s collections"},
				Holds:  "collections send SIGURG",
				Broken: "collections came without any SIGURG: locked goroutines are not preempted by it"},
			{From: "storm", Test: Bounded{Lower: "preempt_lower", Upper: "preempt_upper", Lo: preemptionLo,
				Hi: preemptionHi},
				Holds:  "the kernel's part is in range by both bounds",
				Broken: "the kernel's part is outside the range by both bounds"},
			withoutGo("send_other", "tgkill without Go, to a thread on another CPU"),
			withoutGo("send_same", "to one on the same CPU, which needs no interrupt"),
		},
	}, {
		ID: "P-6", Section: Performance, Scope: sinceLinux,
		Claim: "a locked loop without calls can be preempted, at a higher cost than an unlocked one",
		Method: "loops without calls under stops of the world; pairs of loops that are preempted for each other, " +
			"with a locked one and without: time in which neither ran during a change and its reverse, Mann-Whitney " +
			"test",
		Refuter: "a loop that is not interrupted, or changes that take no longer with a locked loop",
		Want:    "interrupted, and for longer than unlocked",
		Clauses: []Clause{
			{From: "slices", Test: Dearer{"cycle_locked", "cycle_unlocked", 50},
				Holds:  "a change and its reverse take longer with a locked goroutine",
				Broken: "a preemption costs a locked loop no more than an unlocked one"},
			preemptible,
		},
	}, {
		ID: "P-7", Section: Performance, Scope: sinceLinux,
		Claim: "a loop of short C calls is 5–25 % faster on a locked goroutine; for long calls the difference is " +
			"negligible",
		Method: "batches of 20,000 C calls by a goroutine that is locked for every other batch, alone and beside 4 " +
			"and 16 others, some calls writing to a buffer of the thread; median of the ratios of CPU time, unlocked " +
			"by locked; a batch is dropped where the goroutine changed threads in it",
		Refuter: "an interval of the ratio outside 1.05–1.25",
		Want:    "1.05–1.25 × for short calls",
		Clauses: []Clause{
			shortCalls("short_beside_0", "short calls alone"), shortCalls("short_beside_4", "beside 4 others"),
			shortCalls("short_beside_16", "beside 16"),
			{From: "cgo", Test: Within{Sample: "long", Label: "long calls", Lo: 2 - tlsLo, Hi: tlsLo,
				Effect: true, Paired: true, Dropped: "long_dropped"},
				Holds:  "for long calls the difference is below 5 %",
				Broken: "the difference is 5 % or more for long calls too"}},
	}, {
		ID: "P-8", Section: Performance, Scope: sinceLinux,
		Claim: "creating a thread, a clone(2) system call, takes 10–50 µs",
		Method: "six processes, spread over the run, whose goroutines exit while locked, which forces new threads; " +
			"kernel events: enter of clone to its return in the parent, median, with an interval as wide as the " +
			"processes differ",
		Refuter: "a median outside the range",
		Want:    "10–50 µs",
		Clauses: []Clause{{From: "churn", Test: Within{Sample: "clone_syscall", Lo: creationLo, Hi: creationHi,
			About: true},
			Holds: "the system call takes that long", Broken: "the system call takes a time outside the range"},
			withoutGo("clone", "clone(2) without Go")},
	}, {
		ID: "P-9", Section: Performance, Scope: sinceLinux,
		Claim: "destroying a thread takes 10–30 µs",
		Method: "six processes, spread over the run, whose goroutines exit while locked; kernel events: enter of exit " +
			"to the thread's last moment on a CPU, median, with an interval as wide as the processes differ",
		Refuter: "a median outside the range",
		Want:    "10–30 µs",
		Clauses: []Clause{{From: "churn", Test: Within{Sample: "exit", Lo: destructionLo, Hi: destructionHi, About: true},
			Holds: "exit(2) takes that long", Broken: "exit(2) takes a time outside the range"},
			withoutGo("exit", "exit(2) without Go")},
	}, {
		ID: "P-10", Section: Performance, Scope: sinceLinux,
		Claim: "during a C call of a locked goroutine its thread does nothing else and its P is free for others",
		Method: "at GOMAXPROCS=1 a locked goroutine calls C functions that sleep, for 50 ms and for 20 µs, while " +
			"another wants to run; whether it ran, and on which thread",
		Refuter: "no other goroutine runs during a long C call, or another goroutine on the calling thread",
		Want:    "others run, on other threads",
		Clauses: []Clause{
			{From: "cgo_blocking", Test: Always{Good: "long_others_ran", Of: "long_calls", Least: 6,
				Words: "others ran during %s of %s long C calls", Timed: true},
				Holds:  "the P was taken away during every long call",
				Broken: "the P stayed with a thread that was in C for long"},
			{From: "cgo_blocking", Test: Never{Bad: "moves", Of: "samples", Least: 6,
				Words: "on another thread after %s of %s C calls"},
				Holds:  "the goroutine was on its thread after every call",
				Broken: "the goroutine returned on another thread"},
			{From: "cgo_blocking", Test: Never{Bad: "intruders", Of: "samples", Least: 6,
				Words: "others on its thread in %s of %s C calls"},
				Holds: "the thread did nothing else", Broken: "another goroutine ran on the thread that was in C"},
			{From: "cgo_blocking", Role: Exception, Test: Always{Good: "short_others_ran", Of: "short_calls", Least: 20,
				Words: "others ran during %s of %s C calls of 20 µs"},
				Holds:  "the P was taken away during every short call too",
				Broken: "not at once: the P stayed with the thread during short calls, while others waited for it"},
		},
	},
}

// shortCalls are the short calls of P-7 beside some other goroutines.
func shortCalls(sample, label string) Clause {
	return Clause{From: "cgo", Test: Within{Sample: sample, Label: label, Lo: tlsLo, Hi: tlsHi, Effect: true, Paired: true,
		Dropped: sample + "_dropped"},
		Holds:  "short calls are faster by that much",
		Broken: "short C calls of a locked goroutine are not faster by that much"}
}

// withoutGo is what a C program without Go pays on the same machine: the kernel's part and the
// hypervisor's.
func withoutGo(sample, label string) Clause {
	return Clause{From: "control", Role: Control, Test: Measured{sample, label}, Holds: "measured", Broken: "not measured"}
}
