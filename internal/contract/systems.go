package contract

import "fmt"

// Statements about systems that pinwatch does not run on are decided by the runtime's source of the
// release: by the calls in the functions that make a thread and that preempt one. The code of a
// program that the release builds for the system is the second witness.

const readSource = "the runtime's source of this release, by symbol: "

// calls is a test that the source has a call where the statement puts it.
func calls(count, of, what string) Always {
	return Always{Good: count, Of: of, Least: 1, Words: fmt.Sprintf("%s in %%s of %%s sources", what)}
}

const readCode = ". The same in the code of a program built for the system: "

// reaches is a clause on the paths of calls in a program built for a system.
func reaches(count, what, holds, broken string) Clause {
	return Clause{From: "called", Role: Support, Test: Always{Good: count, Of: count + "_asked", Least: 1,
		Words: what + " reached on %s of %s paths"}, Holds: holds, Broken: broken}
}

var macOS = Statement{
	ID: "O-macos", Section: Platforms, Scope: Scope{Since: 16, OS: "macOS"}, Read: true,
	Claim: "on macOS an M is a thread of bsdthread_create, preempted by pthread_kill with SIGURG; user interfaces " +
		"need the main thread",
	Method: readSource + "the call in newosproc, that in signalM, and whether any file of the runtime has " +
		"bsdthread_create" + readCode + "what newosproc and preemptM reach, and whether it has that word. " +
		"What user interfaces need is Apple's rule, and not in the source",
	Refuter: "signalM without pthread_kill, or newosproc without any call that makes a thread",
	Want:    "pthread_kill in signalM; bsdthread_create",
	Clauses: []Clause{
		{From: "systems", Test: calls("darwin_pthread_kill", "darwin_read", "pthread_kill in signalM"),
			Holds:  "preemption is by pthread_kill",
			Broken: "signalM does not call pthread_kill"},
		{From: "systems", Test: calls("darwin_makes_thread", "darwin_read",
			"pthread_create or bsdthread_create in newosproc"),
			Holds:  "newosproc makes a thread",
			Broken: "newosproc calls neither pthread_create nor bsdthread_create"},
		reaches("darwin_signals", "pthread_kill", "preemptM of a program built for macOS reaches pthread_kill",
			"preemptM of a program built for macOS does not reach pthread_kill"),
		reaches("darwin_makes_thread", "a call that makes a thread",
			"newosproc of a program built for macOS reaches pthread_create or bsdthread_create",
			"newosproc of a program built for macOS reaches neither pthread_create nor bsdthread_create"),
		{From: "systems", Role: Exception, Test: calls("darwin_bsdthread", "darwin_read", "bsdthread_create"),
			Holds:  "the runtime calls bsdthread_create",
			Broken: "the runtime calls pthread_create of Apple's library, and never bsdthread_create itself"},
		{From: "called", Role: Exception, Test: calls("darwin_bsdthread_create", "darwin_built", "bsdthread_create"),
			Holds:  "a program built for macOS names bsdthread_create",
			Broken: "a program built for macOS does not name bsdthread_create"},
	},
}

var windows = Statement{
	ID: "O-windows", Section: Platforms, Scope: Scope{Since: 16, OS: "Windows"}, Read: true,
	Claim: "on Windows an M is a thread of CreateThread, preempted by QueueUserAPC and suspension",
	Method: readSource + "the call that makes a thread, those in preemptM, and whether any file of the runtime has " +
		"QueueUserAPC" + readCode + "what newosproc and preemptM reach, and whether it has that word",
	Refuter: "a source without one of the three calls",
	Want:    "CreateThread; SuspendThread and QueueUserAPC",
	Clauses: []Clause{
		{From: "systems", Test: calls("windows_apc", "windows_read", "QueueUserAPC"),
			Holds:  "the runtime calls QueueUserAPC",
			Broken: "the runtime never calls QueueUserAPC"},
		{From: "systems", Test: calls("windows_create_thread", "windows_read", "CreateThread where a thread is made"),
			Holds:  "a thread is made by CreateThread",
			Broken: "a thread is not made by CreateThread"},
		{From: "systems", Test: calls("windows_suspend", "windows_read", "SuspendThread in preemptM"),
			Holds:  "preemptM suspends the thread",
			Broken: "preemptM does not suspend the thread"},
		{From: "called", Role: Support, Test: calls("windows_QueueUserAPC", "windows_built", "QueueUserAPC"),
			Holds:  "a program built for Windows names QueueUserAPC",
			Broken: "a program built for Windows does not name QueueUserAPC"},
		reaches("windows_makes_thread", "CreateThread", "newosproc of a program built for Windows reaches CreateThread",
			"newosproc of a program built for Windows does not reach CreateThread"),
		reaches("windows_suspends", "SuspendThread, GetThreadContext and SetThreadContext",
			"preemptM of a program built for Windows suspends the thread and changes its registers",
			"preemptM of a program built for Windows does not suspend the thread and change its registers"),
	},
}

var otherSystems = Statement{
	ID: "O-other", Section: Platforms, Scope: Scope{Since: 16, OS: "FreeBSD, Solaris, Plan 9, …"}, Read: true,
	Claim: "LockOSThread exists wherever Go runs and means the same; how goroutines are preempted differs",
	Method: readSource + "the systems that this release knows; those on which LockOSThread does nothing; " +
		"a program for js/wasm, run by node; and in the code of programs built for FreeBSD and Solaris, whether " +
		"the scheduler hands a locked M's P on and wakes it again (schedule to stoplockedm and startlockedm)",
	Refuter: "a system whose runtime has no LockOSThread",
	Want:    "bound on every system; preemption differs",
	Clauses: []Clause{
		{From: "systems", Test: calls("systems_with_lock", "systems", "LockOSThread"),
			Holds:  "every system compiles the same LockOSThread",
			Broken: "a system has no LockOSThread, or another one"},
		reaches("freebsd_binds", "FreeBSD: stoplockedm and startlockedm", "the scheduler of FreeBSD knows locked threads",
			"the scheduler of FreeBSD does not know locked threads"),
		reaches("solaris_binds", "Solaris: stoplockedm and startlockedm", "the scheduler of Solaris knows locked threads",
			"the scheduler of Solaris does not know locked threads"),
		{From: "systems", Role: Exception, Test: Never{Bad: "systems_unbound", Of: "systems", Least: 1,
			Words: "LockOSThread does nothing on %s of %s systems"},
			Holds:  "the lock binds on every system",
			Broken: "on wasm, which has one thread, LockOSThread does nothing"},
		{From: "wasm", Role: Exception, Test: Never{Bad: "others_ran", Of: "locked", Least: 1,
			Words: "on js/wasm, others ran on the only thread during %s of %s locks"},
			Holds:  "on js/wasm no other goroutine ran during a lock",
			Broken: "on js/wasm another goroutine ran on the only thread while one was locked to it"},
		{From: "wasm", Role: Exception, Test: Never{Bad: "alive", Of: "exits", Least: 1,
			Words: "on js/wasm, the process went on after %s of %s exits while locked"},
			Holds:  "on js/wasm the process ended with the locked goroutine",
			Broken: "on js/wasm the process went on after a goroutine exited while locked to its only thread"},
	},
}
