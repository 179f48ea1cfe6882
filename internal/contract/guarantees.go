package contract

// Clauses of more than one statement.
var (
	staysOnThread = Clause{
		From: "migrate", Test: Never{Bad: "locked_moves", Of: "locked_samples", Least: 500, Seen: "unlocked_moves",
			Words: "on another thread in %s of %s samples while locked"},
		Holds:  "a locked goroutine was never seen on another thread, while unlocked ones beside it moved",
		Broken: "a locked goroutine was seen on another thread than the one it had locked",
	}
	threadToItself = Clause{
		From: "migrate", Test: Never{Bad: "visits_locked", Of: "samples_locked", Least: 500, Seen: "visits_unlocked",
			Words: "others on the locked thread in %s of %s samples"},
		Holds:  "no other goroutine was ever on a locked thread, while unlocked threads had others",
		Broken: "another goroutine was on a locked thread",
	}
	lendsThread = Clause{
		From: "lend", Since: 23, Role: Exception,
		Test: Never{Bad: "turns_on_locked", Of: "turns", Least: 100,
			Words: "a coroutine of iter.Pull on the locked thread in %s of %s turns"},
		Holds: "a coroutine ran on another thread than the locked goroutine that resumes it",
		Broken: "except for iter.Pull (Go 1.23): its coroutine, another goroutine, runs on the locked thread while the " +
			"lock is held",
	}
	boundUntilLast = Clause{
		From: "nest", Test: Never{Bad: "bound_moves", Of: "bound_samples", Least: 500, Seen: "free_moves",
			Words: "moved in %s of %s samples with locks left"},
		Holds:  "with locks left the goroutine never moved; with none left it did",
		Broken: "the goroutine moved although not every LockOSThread was undone",
	}
	freeAfterLast = Clause{
		From: "nest", Test: Always{Good: "freed_rounds", Of: "rounds", Least: 3,
			Words: "free after as many unlocks as locks in %s of %s rounds"},
		Holds:  "after as many unlocks as locks, others ran on the thread or the goroutine left it",
		Broken: "after as many unlocks as locks, the goroutine was still bound to its thread",
	}
	endsThread = Clause{
		From: "exit", Test: Always{Good: "return_ended", Of: "return_exits", Least: 6, Words: "%s of %s threads ended",
			Timed: true},
		Holds:  "every thread whose goroutine exited while locked was gone from the process",
		Broken: "a thread outlived the goroutine that exited while locked to it",
	}
	endsThreadGoexit = Clause{
		From: "exit", Test: Always{Good: "goexit_ended", Of: "goexit_exits", Least: 6,
			Words: "%s of %s threads ended after Goexit", Timed: true},
		Holds:  "every thread whose goroutine called Goexit while locked was gone from the process",
		Broken: "a thread outlived the goroutine that called Goexit while locked to it",
	}
	mainIsParked = Clause{
		From: "exit", Role: Exception, Test: Always{Good: "main_ended", Of: "main_exits", Least: 1,
			Words: "main thread: %s of %s ended"},
		Holds:  "the main thread ended too",
		Broken: "except for the main thread: its goroutine exited while locked, and the thread stayed",
	}
	coroutineEnds = Clause{
		From: "exit", Since: 23, Role: Exception, Test: Never{Bad: "coroutine_locks_fatal", Of: "coroutine_locks", Least: 1,
			Words: "%s of %s processes ended by a coroutine that ended locked"},
		Holds:  "a coroutine of iter.Pull that ended locked ended its thread alone",
		Broken: "except for a coroutine of iter.Pull (Go 1.23) that locks itself and ends: the whole process ends",
	}
	kernelSawExits = Clause{
		From: "churn", Role: Support, Test: Always{Good: "kernel_locked_exits", Of: "locked_exits", Least: 6,
			Words: "the kernel saw exit(2) of %s of %s"},
		Holds:  "each of the threads called exit(2)",
		Broken: "the kernel saw another number of locked threads exit than the program ended",
	}
	preemptible = Clause{
		From: "tight", Test: Always{Good: "locked_interrupted", Of: "locked_trials", Least: 3,
			Words: "locked loop without calls interrupted in %s of %s trials", Timed: true},
		Holds:  "a stop of the world did not have to wait for the loop's end",
		Broken: "a locked loop without calls delayed everything until its end",
	}
	lockedAreListed = Clause{
		From: "pins", Test: Always{Good: "listed", Of: "pinned", Least: 3,
			Words: "the kernel lists the locked threads of %s of %s goroutines"},
		Holds:  "the kernel lists the thread of every locked goroutine",
		Broken: "the kernel's list lacks the thread of a locked goroutine",
	}
	threadsLine = Clause{
		From: "pins", Test: Always{Good: "proc_threads", Of: "runtime_threads", Least: 3,
			Words: "Threads: %s, the runtime has %s"},
		Holds:  "the Threads line counts the runtime's threads",
		Broken: "the Threads line differs from the number of the runtime's threads",
	}
	metricBySpec = Clause{From: "names", Since: 21, Test: metricByName, Holds: "the metric exists", Broken: noSuchMetric}
	metricByName = Test(Always{Good: "metric_specified", Of: "metric_asked", Least: 1,
		Words: "the metric /sched/threads:threads in %s of %s releases"})
)

const noSuchMetric = "this release has no metric of that name"

var guarantees = []Statement{
	{
		ID: "G-1", Section: Guarantees,
		Claim: "while a goroutine's lock count is above zero it runs on one thread, the one it called " +
			"LockOSThread on",
		Method: "locked goroutines yield, sleep, block, hand off and sample their thread id each time, beside " +
			"unlocked ones that do the same; number of changes",
		Refuter: "one sample of a locked goroutine on another thread",
		Want:    "0 changes of thread while locked",
		Clauses: []Clause{staysOnThread},
	}, {
		ID: "G-2", Section: Guarantees,
		Claim: "a thread that a goroutine is locked to runs no other goroutine until the lock count is zero",
		Method: "goroutines that change threads check whether theirs is a locked one; unlocked threads are the " +
			"control; a locked goroutine takes values from an iter.Pull coroutine",
		Refuter: "one other goroutine on a locked thread",
		Want:    "0 other goroutines on a locked thread",
		Clauses: []Clause{threadToItself, lendsThread},
	}, {
		ID: "G-3", Section: Guarantees,
		Claim: "locks are counted: N calls of LockOSThread need N of UnlockOSThread",
		Method: "rounds of 1 to 4 nested locks; after each unlock, whether the goroutine moves or another runs on " +
			"its thread",
		Refuter: "a move with locks left, or none with all undone",
		Want:    "bound with 1 to N locks left, free with none",
		Clauses: []Clause{boundUntilLast, freeAfterLast},
	}, {
		ID: "G-4", Section: Guarantees,
		Claim: "when a goroutine returns from its function or calls Goexit while locked, its thread ends and is " +
			"not used again",
		Method: "goroutines exit while locked, by return and by Goexit, on worker threads and on the main one; the " +
			"process's threads afterwards, and exit(2) seen by the kernel; a coroutine of iter.Pull that does so",
		Refuter: "a thread that lives on",
		Want:    "every such thread ends",
		Clauses: []Clause{endsThread, endsThreadGoexit, kernelSawExits, mainIsParked, coroutineEnds},
	}, {
		ID: "G-5", Section: Guarantees,
		Claim:   "when the lock count reaches zero the thread takes part in ordinary scheduling again",
		Method:  "after the last unlock, in main and in init, whether others run on the thread or the goroutine leaves it",
		Refuter: "a thread that still serves that goroutine alone",
		Want:    "others on the thread after the last unlock",
		Clauses: []Clause{freeAfterLast, {
			From: "reuse", Test: Happens{Count: "reused", Of: "released", Least: 20,
				Words: "others came to run on %s of %s released threads"},
			Holds: "others run on released threads", Broken: "no goroutine ever ran on a released thread",
		}, {
			From: "main", Role: Exception, Test: Happens{Count: "init_unlocked_freed", Of: "init_unlocked_samples", Least: 500,
				Words: "others on the thread, or the goroutine on another, %s times in %s samples after an unlock in init"},
			Holds:  "an unlock in init frees the thread, too",
			Broken: "except in init: the runtime's own lock keeps the main goroutine on the main thread until main begins",
		}},
	}, {
		ID: "G-6", Section: Guarantees, Scope: Scope{Since: 14},
		Claim: "a locked goroutine is still preempted, for garbage collection and at the end of its time slice",
		Method: "a locked loop without calls runs while another goroutine collects garbage; whether the collection " +
			"ended before the loop did; at GOMAXPROCS=1, whether another loop gets its turns",
		Refuter: "a collection that had to wait for the loop's end",
		Want:    "the loop is interrupted, every time",
		Clauses: []Clause{preemptible, {
			From: "slices", Test: Always{Good: "sliced", Of: "locked_rounds", Least: 3,
				Words: "another loop had turns in %s of %s rounds", Timed: true},
			Holds:  "at the end of its time slice another loop got the P",
			Broken: "a locked loop kept its P beyond its time slice",
		}, {
			From: "storm", Role: Support, Test: Happens{Count: "sigurg_locked", Of: "collections", Least: 50,
				Words: "%s SIGURG delivered to locked threads in %s collections"},
			Holds: "the kernel delivered SIGURG to locked threads", Broken: "no SIGURG ever reached a locked thread",
		}},
	}, {
		ID: "G-7", Section: Guarantees,
		Claim: "when a locked goroutine blocks in a system call its P goes to other threads, and the thread stays " +
			"locked to it",
		Method: "at GOMAXPROCS=1 a locked goroutine blocks in system calls, long and short ones, while another " +
			"wants to run; whether it ran meanwhile",
		Refuter: "no other goroutine runs during a call of tens of milliseconds, or the goroutine returns on " +
			"another thread",
		Want: "others run during the call; same thread afterwards",
		Clauses: []Clause{
			{From: "syscall", Test: Always{Good: "long_others_ran", Of: "long_calls", Least: 6,
				Words: "others ran during %s of %s long calls", Timed: true},
				Holds:  "the P was taken away during every long call",
				Broken: "the P stayed with a thread that was blocked for long"},
			{From: "syscall", Test: Never{Bad: "moves", Of: "samples", Least: 6,
				Words: "on another thread after %s of %s calls"},
				Holds:  "the goroutine was on its thread after every call",
				Broken: "the goroutine returned on another thread"},
			{From: "syscall", Test: Never{Bad: "intruders", Of: "samples", Least: 6,
				Words: "others on its thread in %s of %s calls"},
				Holds:  "no other goroutine ran on its thread",
				Broken: "another goroutine ran on the thread of a locked one"},
			{From: "syscall", Role: Exception, Test: Always{Good: "short_others_ran", Of: "short_calls", Least: 20,
				Words: "others ran during %s of %s short calls"},
				Holds:  "the P was taken away during every short call too",
				Broken: "not at once: the P stayed with the thread during short calls, while others waited for it"},
		},
	}, {
		ID: "G-8", Section: Guarantees,
		Claim: "a locked goroutine's thread is counted in the metric /sched/threads:threads (Go 1.21) and in the " +
			"Threads line of /proc/PID/status",
		Method: "goroutines lock themselves; their threads by the runtime's memory in the kernel's list of threads, " +
			"the Threads line against the runtime's threads; the names that runtime/metrics lists",
		Refuter: "no metric of that name, or a locked thread that is not counted",
		Want:    "every locked thread is in both counts",
		Clauses: []Clause{lockedAreListed, threadsLine, metricBySpec},
	}, {
		ID: "G-9", Section: Guarantees,
		Claim: "a goroutine finds the thread state that it has set under the lock as long as it holds the lock",
		Method: "goroutines name their thread and read the name at each sample, while others name theirs; unlocked " +
			"ones are the control; others call AllThreadsSyscall and Setgid beside locked ones, and name their threads " +
			"in /proc",
		Refuter: "a locked goroutine that finds another's name",
		Want:    "0 foreign states while locked",
		Clauses: []Clause{{
			From: "migrate", Test: Never{Bad: "locked_strange", Of: "locked_samples", Least: 500,
				Seen: "unlocked_strange", Words: "foreign state in %s of %s samples while locked"},
			Holds:  "a locked goroutine always found the state it had set, while unlocked ones found others'",
			Broken: "a locked goroutine found thread state that it had not set",
		}, {
			From: "allthreads", Since: 16, Role: Exception, Test: Never{Bad: "changed", Of: "calls", Least: 6,
				Words: "the locked thread's name changed by %s of %s AllThreadsSyscall"},
			Holds:  "AllThreadsSyscall of another goroutine left the thread's state alone",
			Broken: "except for syscall.AllThreadsSyscall (Go 1.16), which another goroutine can call",
		}, {
			From: "setgid", Since: 16, Role: Exception, Test: Never{Bad: "changed", Of: "calls", Least: 6,
				Words: "the locked thread's gid changed by %s of %s Setgid"},
			Holds:  "Setgid of another goroutine left the thread's state alone",
			Broken: "except for syscall.Setgid, which changes every thread",
		}, {
			From: "bytid", Role: Exception, Test: Never{Bad: "changed", Of: "calls", Least: 6,
				Words: "the locked thread's name changed by %s of %s writes to its comm file"},
			Holds:  "the thread's name could not be changed by its tid",
			Broken: "except for what the kernel lets any thread change by tid: name, priority, CPUs",
		}},
	},
}
