package contract

var measurement = []Statement{
	{
		ID: "M-1", Section: Measurement, Scope: Scope{Since: 21},
		Claim: "the metric /sched/threads:threads (Go 1.21) counts the runtime's threads and grows by one for " +
			"each locked goroutine that forces a new thread",
		Method: "the names that runtime/metrics lists; the growth of /sched/threads/total:threads, as its name is " +
			"since Go 1.26, by each goroutine that locks itself",
		Refuter: "no metric of that name, or a median growth that is not 1",
		Want:    "/sched/threads:threads exists, +1 each",
		Clauses: []Clause{metricBySpec, {
			From: "counts", Since: 26, Test: Within{Sample: "metric_growth", Label: "/sched/threads/total:threads by lock",
				Lo: 0.9, Hi: 1.1, Effect: true}, // of whole numbers
			Holds: "it grows by one for each lock", Broken: "it does not grow by one for each lock"}},
	}, {
		ID: "M-2", Section: Measurement, Scope: Scope{Since: 17},
		Claim: "the metric /sched/latencies:seconds shows how long goroutines wait to run, and that too many are " +
			"locked",
		Method: "the histogram of equal work by 32 workers, all locked, as many locked as there are Ps, and none " +
			"locked, in turn; Mann-Whitney test of the rounds' means",
		Refuter: "a histogram that over-pinning does not move",
		Want:    "longer waits when over-pinned",
		Clauses: []Clause{
			heldApart("latency"),
			{From: "latency", Test: Dearer{"wait_overpinned", "wait_calm", 20},
				Holds:  "over-pinning lengthens the waits in the histogram",
				Broken: "over-pinning does not lengthen the waits in the histogram"},
			{From: "latency", Test: Dearer{"wait_overpinned", "wait_pinned", 20},
				Holds:  "more locked workers than Ps lengthen the waits more than as many",
				Broken: "more locked workers than Ps do not lengthen the waits more than as many"},
			{From: "latency", Test: Always{Good: "answered", Of: "asked", Least: 1,
				Words: "histogram there in %s of %s rounds"}, Holds: "the metric exists", Broken: noSuchMetric},
		},
	}, {
		ID: "M-3", Section: Measurement,
		Claim:   "runtime.NumGoroutine counts locked goroutines like others",
		Method:  "NumGoroutine before and after goroutines lock themselves",
		Refuter: "a difference that is not their number",
		Want:    "+1 for each",
		Clauses: []Clause{heldApart("counts"), {
			From: "counts", Test: Always{Good: "goroutines_added", Of: "pins_added", Least: 3,
				Words: "+%s for %s locked goroutines"},
			Holds: "every locked goroutine is counted", Broken: "the count grew by another number"}},
	}, {
		ID: "M-4", Section: Measurement, Scope: Scope{OS: "Linux"},
		Claim: "the Threads line of /proc/PID/status is the kernel's count, and equals /sched/threads:threads " +
			"plus a few threads that are not the runtime's, such as sysmon",
		Method: "the line against the threads in the runtime's memory; the metric against the kernel's list of threads, " +
			"in which sysmon and the template thread are, in one moment of rest",
		Refuter: "a line that differs, no metric of that name, or one that counts sysmon",
		Want:    "line = kernel's count = metric + a few",
		Clauses: []Clause{lockedAreListed, threadsLine, metricBySpec, {
			From: "counts", Since: 26, Test: Always{Good: "outside_metric", Of: "service_threads", Least: 1,
				Words: "/sched/threads/total:threads leaves out %s of the kernel's threads; sysmon and template thread are %s"},
			Holds:  "the metric leaves out sysmon and the template thread",
			Broken: "the metric counts sysmon and the template thread too"}},
	}, {
		ID: "M-5", Section: Measurement, Scope: Scope{Since: 16},
		Claim:   "locked workers that set profiler labels can be distinguished in the goroutine profile",
		Method:  "labelled locked workers among others; the profile's labels",
		Refuter: "a labelled worker without its label",
		Want:    "every labelled worker is found",
		Clauses: []Clause{heldApart("labels"), {From: "labels", Test: Always{Good: "labelled_found", Of: "labelled", Least: 1,
			Words: "%s of %s workers found by label"},
			Holds: "the profile has every worker under its label", Broken: "the profile lacks labels"}},
	}, {
		ID: "M-6", Section: Measurement, Scope: Scope{Since: 16},
		Claim: "an execution trace has events of C or system calls, scheduling and garbage collection, and shows " +
			"a locked goroutine on one thread throughout",
		Method:  "a trace of locked and unlocked goroutines, threads by goroutine; a trace of a program that calls C",
		Refuter: "a locked goroutine on two threads in the trace",
		Want:    "1 thread for each locked goroutine",
		Clauses: []Clause{
			{From: "trace", Test: Never{Bad: "locked_moves", Of: "locked_events", Least: 50, Seen: "unlocked_moves",
				Words: "another thread in %s of %s events of locked goroutines"},
				Holds:  "the trace shows every locked goroutine on one thread and others on several",
				Broken: "the trace shows a locked goroutine on two threads"},
			{From: "trace", Test: Happens{Count: "syscall_events", Of: "events", Least: 100,
				Words: "%s of %s events are of system calls"},
				Holds:  "the trace has system calls",
				Broken: "the trace has no event of a system call"},
			{From: "trace", Test: Happens{Count: "gc_events", Of: "events", Least: 100,
				Words: "%s are of the collector, of %s"},
				Holds:  "the trace has collections",
				Broken: "the trace has no event of a garbage collection"},
			{From: "trace_c", Role: Support, Test: Always{Good: "c_calls_traced", Of: "c_calls", Least: 100,
				Words: "%s of %s C calls are in the trace"},
				Holds:  "the trace has every call of C, as a system call",
				Broken: "the trace lacks calls of C"},
		},
	}, {
		ID: "M-7", Section: Measurement,
		Claim:   "GODEBUG=schedtrace=N prints the scheduler's state every N ms, with threads= and idleprocs=",
		Method:  "the lines that such a process prints",
		Refuter: "lines without one of the fields",
		Want:    "both fields in every line",
		Clauses: []Clause{{From: "schedtrace", Test: Always{Good: "lines_with_fields", Of: "lines", Least: 3,
			Words: "both fields in %s of %s lines"},
			Holds: "every line has both", Broken: "a line lacks a field"}},
	}, {
		ID: "M-8", Section: Measurement,
		Claim:   "scheddetail=1 adds a line per P and M, and lockedg= on an M names the goroutine locked to it",
		Method:  "the M lines of a process with locked goroutines, against their ids",
		Refuter: "a locked goroutine that no M line names",
		Want:    "every locked goroutine is named",
		Clauses: []Clause{{From: "schedtrace", Test: Always{Good: "lockedg_found", Of: "lockedg_pins", Least: 1,
			Words: "%s of %s locked goroutines named by lockedg="},
			Holds: "lockedg= names every locked goroutine", Broken: "lockedg= does not name a locked goroutine"}},
	},
}
