package contract

var versions = []Statement{
	{
		ID: "V-1.13", Section: Versions, Scope: Scope{Until: 13},
		Claim: "up to Go 1.13 preemption is cooperative: a locked loop without calls can't be interrupted",
		Method: "the loop of P-6 with cooperative preemption only, as Go 1.13 has it and newer releases with " +
			"GODEBUG=asyncpreemptoff=1",
		Refuter: "a loop that is interrupted",
		Want:    "not interrupted",
		Clauses: []Clause{unshared("cooperative"), {
			From: "cooperative", Test: Never{Bad: "locked_interrupted", Of: "locked_trials", Least: 3,
				Words: "interrupted in %s of %s trials"},
			Holds: "without signals nothing interrupts the loop", Broken: "the loop was interrupted without signals"}},
	}, {
		ID: "V-1.14", Section: Versions, Scope: Scope{Since: 14},
		Claim:   "since Go 1.14 SIGURG makes locked goroutines preemptible, by a tgkill each time",
		Method:  "the loop of P-6, and SIGURG as the kernel sees it",
		Refuter: "a loop that is not interrupted, or is without SIGURG",
		Want:    "interrupted, by SIGURG",
		Clauses: []Clause{preemptible, unshared("tight"), {
			From: "storm", Role: Support, Test: Happens{Count: "sigurg_sent", Of: "collections", Least: 50,
				Words: "%s SIGURG in %s collections"},
			Holds: "tgkill sends SIGURG", Broken: "no SIGURG was sent",
		}},
	}, {
		ID: "V-1.16", Section: Versions, Scope: Scope{Since: 16},
		Claim: "since Go 1.16 GOMAXPROCS follows the cgroup's CPU quota",
		Method: "programs built by this release and by Go 1.16, which are told that there are 8 CPUs, in a cgroup " +
			"with a quota of 3: their GOMAXPROCS",
		Refuter: "a GOMAXPROCS that is not the quota",
		Want:    "the quota is followed",
		Clauses: []Clause{{From: "quota", Test: Always{Good: "followed", Of: "started", Least: 1,
			Words: "quota followed by programs of %s of %s releases"},
			Holds: "the quota is followed", Broken: "a release from 1.16 on takes another number of CPUs"}},
	}, {
		ID: "V-1.21", Section: Versions, Scope: Scope{Since: 21},
		Claim:   "since Go 1.21 there is a metric /sched/threads:threads",
		Method:  "the names that runtime/metrics lists",
		Refuter: "a newer release without it",
		Want:    "/sched/threads:threads exists",
		Clauses: []Clause{metricBySpec},
	}, {
		ID: "V-1.22", Section: Versions, Scope: Scope{Since: 22},
		Claim:   "Go 1.22 changes nothing in what LockOSThread means",
		Method:  "G-1, G-2, G-3 and G-4 on a release from there on",
		Refuter: "one of them refuted",
		Want:    "G-1 to G-4 as before",
		Clauses: []Clause{staysOnThread, threadToItself, boundUntilLast, freeAfterLast, endsThread, endsThreadGoexit,
			lendsThread},
	},
}

var platforms = []Statement{
	{
		ID: "O-linux", Section: Platforms, Scope: Scope{Since: 16, OS: "Linux"},
		Claim:   "on Linux an M is a thread made by clone(2), and preemption is tgkill with SIGURG",
		Method:  "kernel events: clones against new threads, signals against tgkill",
		Refuter: "a thread without clone, or preemption without tgkill",
		Want:    "every thread cloned; SIGURG by tgkill",
		Clauses: []Clause{
			{From: "churn", Test: Always{Good: "cloned", Of: "created", Least: 6,
				Words: "%s of %s new threads were made by clone"},
				Holds:  "every thread was made by clone",
				Broken: "a thread was made in another way"},
			{From: "storm", Test: Always{Good: "sigurg_by_tgkill", Of: "sigurg_delivered_own", Least: 6,
				Words: "%s of %s SIGURG were sent by tgkill"},
				Holds:  "every SIGURG was sent by tgkill",
				Broken: "a SIGURG was sent in another way"},
		},
	},
	macOS, windows, otherSystems,
}
