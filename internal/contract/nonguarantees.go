package contract

var nonGuarantees = []Statement{
	{
		ID: "N-1", Section: NonGuarantees,
		Claim:   "LockOSThread sets no CPU affinity: the kernel may move the thread between CPUs",
		Method:  "affinity mask before and after the lock; the CPUs that locked threads ran on",
		Refuter: "a mask that the lock changes, or locked threads that never change CPU",
		Want:    "same mask; CPU changes",
		Clauses: []Clause{
			{From: "inherit", Test: Always{Good: "affinity_same", Of: "locks", Least: 3, Words: "mask unchanged by %s of %s locks"}, Holds: "the lock leaves the mask as it was", Broken: "the lock changed the affinity mask"},
			{From: "inherit", Test: Happens{Count: "cpu_changes", Of: "cpu_looks", Least: 500, Words: "%s changes of CPU in %s looks while locked"}, Holds: "locked threads were moved between CPUs", Broken: "a locked thread was never moved"},
		},
	}, {
		ID: "N-2", Section: NonGuarantees,
		Claim:   "LockOSThread changes neither nice value nor scheduling policy",
		Method:  "both of the thread before and after the lock",
		Refuter: "a value that the lock changes",
		Want:    "same nice and policy",
		Clauses: []Clause{
			{From: "inherit", Test: Always{Good: "nice_same", Of: "locks", Least: 3, Words: "nice unchanged by %s of %s locks"}, Holds: "the lock leaves both as they were", Broken: "the lock changed the nice value"},
			{From: "inherit", Test: Always{Good: "policy_same", Of: "locks", Least: 3, Words: "policy unchanged by %s of %s locks"}, Holds: "the lock leaves both as they were", Broken: "the lock changed the policy"},
		},
	}, {
		ID: "N-3", Section: NonGuarantees,
		Claim:   "LockOSThread binds no memory to a NUMA node",
		Method:  "the thread's memory policy before and after the lock (get_mempolicy)",
		Refuter: "a policy that the lock changes",
		Want:    "same memory policy",
		Clauses: []Clause{{From: "inherit", Test: Always{Good: "mempolicy_same", Of: "locks", Least: 3, Words: "memory policy unchanged by %s of %s locks"},
			Holds: "the lock leaves the memory policy as it was", Broken: "the lock changed the memory policy"}},
	}, {
		ID: "N-4", Section: NonGuarantees,
		Claim:   "which thread a locked goroutine gets is not specified",
		Method:  "equal processes, one after another: the place, in the order of creation, of the threads that the same goroutines lock",
		Refuter: "the same threads in every one of 20 runs",
		Want:    "more than one outcome",
		Clauses: []Clause{{From: "runs", Test: Varies{Outcomes: "tids", Least: 20, Words: "%s different outcomes in %s runs"},
			Holds: "equal runs lock different threads", Broken: "every run locked the same threads"}},
	}, {
		ID: "N-5", Section: NonGuarantees,
		Claim:   "in which order the runtime makes threads to make up for locked ones is not specified",
		Method:  "equal processes, one after another: the order in which new threads serve",
		Refuter: "the same order in every one of 20 runs",
		Want:    "more than one outcome",
		Clauses: []Clause{{From: "runs", Test: Varies{Outcomes: "orders", Least: 20, Words: "%s different orders in %s runs"},
			Holds: "equal runs grow in different orders", Broken: "every run grew in the same order"}},
	}, {
		ID: "N-6", Section: NonGuarantees, Scope: Scope{Since: 16},
		Claim:   "what preempting a locked goroutine costs has no bound",
		Method:  "the upper bound of every preemption's kernel time against the only range there is, P-5's",
		Refuter: "no preemption of many above 3 µs",
		Want:    "some beyond the 3 µs of P-5",
		Clauses: []Clause{{From: "storm", Test: Exceeds{"preempt_upper", preemptionHi, 200},
			Holds: "preemptions cost more than the range", Broken: "no preemption cost more than the range: it looks like a bound"}},
	}, {
		ID: "N-7", Section: NonGuarantees,
		Claim:   "a thread that was locked may stay parked for some time after the unlock before it is used again",
		Method:  "threads are released six at a time while others want threads; when each is next used",
		Refuter: "every unlocked thread in use again within 1 ms",
		Want:    "some stay unused for more than 1 ms",
		Clauses: []Clause{{From: "reuse", Test: Happens{Count: "idle_after_unlock", Of: "unlocks", Least: 30, Words: "%s of %s threads unused 1 ms after their unlock"},
			Holds: "threads stay parked after their unlock", Broken: "every thread was in use again at once"}},
	}, {
		ID: "N-8", Section: NonGuarantees,
		Claim:   "with Goexit and panics only a deferred UnlockOSThread is clear",
		Method:  "goroutines with a deferred unlock end by return, Goexit and recovered panic; whether their threads live on",
		Refuter: "a thread that ends although the unlock was deferred",
		Want:    "the thread lives on, whichever way",
		Clauses: []Clause{
			{From: "exit", Test: Always{Good: "deferred_goexit_alive", Of: "deferred_goexit", Least: 3, Words: "%s of %s threads live on after Goexit"}, Holds: "a deferred unlock keeps the thread, whichever way the goroutine ends", Broken: "Goexit ended a thread in spite of a deferred unlock"},
			{From: "exit", Test: Always{Good: "deferred_panic_alive", Of: "deferred_panic", Least: 3, Words: "%s of %s after a recovered panic"}, Holds: "a deferred unlock keeps the thread, whichever way the goroutine ends", Broken: "a panic ended a thread in spite of a deferred unlock"},
			{From: "exit", Test: Always{Good: "deferred_return_alive", Of: "deferred_return", Least: 3, Words: "%s of %s after a return"}, Holds: "a deferred unlock keeps the thread, whichever way the goroutine ends", Broken: "a return ended a thread in spite of a deferred unlock"},
		},
	},
}
