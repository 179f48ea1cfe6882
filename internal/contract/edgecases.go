package contract

var edgeCases = []Statement{
	{
		ID: "E-1", Section: EdgeCases,
		Claim:   "locks of one goroutine nest, and each needs its unlock",
		Method:  "as G-3",
		Refuter: "as G-3",
		Want:    "bound with 1 to N locks left, free with none",
		Clauses: []Clause{boundUntilLast, freeAfterLast},
	}, {
		ID: "E-2", Section: EdgeCases,
		Claim:   "LockOSThread in main binds the main goroutine",
		Method:  "main locks itself and samples its thread id while other goroutines move",
		Refuter: "a sample of main on another thread",
		Want:    "main stays on one thread",
		Clauses: []Clause{{From: "main", Test: Never{Bad: "main_moves", Of: "main_samples", Least: 200,
			Seen: "free_moves", Words: "main on another thread in %s of %s samples"},
			Holds: "a locked main never moved; an unlocked one did", Broken: "a locked main moved"}},
	}, {
		ID: "E-3", Section: EdgeCases,
		Claim: "LockOSThread in an init of the program (not of a plugin or C library) binds the main goroutine to the main " +
			"thread, in main too",
		Method:  "a process that locks in init samples its thread id in main",
		Refuter: "a sample of main on another thread than the main one",
		Want:    "main stays on the main thread",
		Clauses: []Clause{{From: "main", Test: Never{Bad: "init_moves", Of: "init_samples", Least: 200,
			Seen: "free_moves", Words: "main on another thread in %s of %s samples"},
			Holds: "a lock in init lasted in main", Broken: "a lock in init did not last in main"}},
	}, {
		ID: "E-4", Section: EdgeCases,
		Claim:   "Goexit of a locked goroutine ends its thread",
		Method:  "as G-4, by Goexit",
		Refuter: "a thread that lives on",
		Want:    "every such thread ends",
		Clauses: []Clause{endsThreadGoexit, mainIsParked},
	}, {
		ID: "E-5", Section: EdgeCases,
		Claim: "after a recovered panic the goroutine is still locked; one that is not recovered ends the process",
		Method: "panics of locked goroutines: recovered ones with samples of the thread id afterwards, others in a " +
			"child process",
		Refuter: "a move after the recovery, or a process that does not end",
		Want:    "locked after recovery; process ends otherwise",
		Clauses: []Clause{
			{From: "exit", Test: Never{Bad: "recovered_moves", Of: "recovered_samples", Least: 200,
				Words: "moved in %s of %s samples after the recovery"},
				Holds:  "the lock outlived the panic",
				Broken: "the lock was gone after the panic"},
			{From: "exit", Test: Always{Good: "crashed", Of: "crashes", Least: 1,
				Words: "%s of %s processes ended by the panic"},
				Holds:  "the process ended",
				Broken: "the process did not end"},
		},
	}, {
		ID: "E-6", Section: EdgeCases,
		Claim: "a goroutine can lock and unlock only itself",
		Method: "one goroutine calls LockOSThread and UnlockOSThread beside another; whether the other's lock changes; a " +
			"coroutine of iter.Pull unlocks",
		Refuter: "a locked goroutine that moves after another's unlock, or an unlocked one bound by another's lock",
		Want:    "the other does not change",
		Clauses: []Clause{
			{From: "cross", Test: Never{Bad: "kept_moves", Of: "kept_samples", Least: 200, Seen: "free_moves",
				Words: "moved in %s of %s samples after another's " +
					"unlocks"},
				Holds:  "another's unlocks did not change the lock",
				Broken: "another goroutine's unlock freed a locked one"},
			{From: "cross", Test: Happens{Count: "free_moves", Of: "free_samples", Least: 500,
				Words: "moved %s times in %s samples beside another's " +
					"lock"},
				Holds:  "another's lock did not bind the goroutine",
				Broken: "another goroutine's lock bound an unlocked one"},
			{From: "exit", Since: 23, Role: Exception, Test: Never{Bad: "coroutine_unlocks_fatal", Of: "coroutine_unlocks",
				Least: 1, Words: "%s of %s processes ended by a coroutine's unlock"},
				Holds: "a coroutine could not undo the lock of the goroutine that made it",
				Broken: "except for a coroutine of iter.Pull (Go 1.23): its unlock undoes the lock of the goroutine that made " +
					"it, and the process ends"},
		},
	}, {
		ID: "E-7", Section: EdgeCases,
		Claim:   "no two goroutines are ever locked to one thread",
		Method:  "as G-2, and the thread ids of all that are locked at one time",
		Refuter: "two on one thread",
		Want:    "0 shared threads",
		Clauses: []Clause{threadToItself, lendsThread, {From: "pins",
			Test: Always{Good: "distinct_threads", Of: "pinned", Least: 3,
				Words: "%s threads for %s locked goroutines"},
			Holds: "each had a thread to itself", Broken: "two locked goroutines on one thread"}},
	}, {
		ID: "E-8", Section: EdgeCases,
		Claim:   "a call into Go from a thread that C made runs on a goroutine bound to that thread for the call",
		Method:  "C threads call Go again and again, which yields and sleeps; its thread and its goroutine",
		Refuter: "a callback that changes thread, or later calls of a thread on another goroutine",
		Want:    "the callback stays on its thread, on the thread's goroutine",
		Clauses: []Clause{{From: "callback", Test: Never{Bad: "moves", Of: "samples", Least: 100,
			Words: "on another thread in %s of %s samples in callbacks"},
			Holds: "callbacks never left their thread", Broken: "a callback moved to another thread"}, {
			From: "callback", Since: 21, Role: Exception, Test: Always{Good: "same_goroutine", Of: "later_calls", Least: 3,
				Words: "%s of %s later calls of a thread on the goroutine of its first"},
			Holds:  "every call of a thread ran on the same goroutine",
			Broken: "except that a thread has no goroutine of its own: its calls ran on different ones"}},
	}, {
		ID: "E-9", Section: EdgeCases,
		Claim:   "garbage collection pauses locked goroutines and leaves the lock intact",
		Method:  "collections while goroutines are locked; their thread ids before and after each",
		Refuter: "a move across a collection",
		Want:    "same thread across every collection",
		Clauses: []Clause{{From: "gc", Test: Never{Bad: "moves", Of: "samples", Least: 50,
			Words: "moved across %s of %s collections"},
			Holds: "the lock outlived every collection", Broken: "a locked goroutine moved across a collection"}},
	}, {
		ID: "E-10", Section: EdgeCases,
		Claim: "the runtime keeps a lock count apart from the program's",
		Method: "lockedInt and lockedExt in the runtime's memory while packages are initialized: the runtime locks " +
			"the main goroutine to the main thread then; and while C threads call Go",
		Refuter: "no internal lock then, or one that is counted as the program's",
		Want:    "internal count above 0, the program's 0",
		Clauses: []Clause{{From: "internal", Test: Always{Good: "runtime_locked", Of: "in_init", Least: 3,
			Words: "internal lock, and no other, in %s of %s processes"},
			Holds:  "the runtime's lock is counted apart from the program's",
			Broken: "the runtime's lock is missing, or not counted apart"}, {
			From: "callback", Role: Support, Test: Always{Good: "internal_seen", Of: "internal_claims", Least: 3,
				Words: "and in %s of %s calls of C threads"},
			Holds:  "the runtime's lock for a callback is counted apart from the program's",
			Broken: "in a callback the runtime's lock is missing, or not counted apart"}},
	},
}
