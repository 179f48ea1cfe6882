package contract

import (
	"fmt"
	"math"
	"strings"
)

// The checklists judge programs, not the runtime. A line of a checklist holds when pinwatch reports
// the programs that break it and no others, or when the damage that the line prevents is measured
// to happen. Findings and vet both judge each line of which both can see a breach. Statement.Seen
// is why no other line is among these.

// detects gives the clauses of a line that a finding of the report, or a diagnostic of the
// analyzer, detects.
func detects(from, finding string) []Clause {
	const holds = "pinwatch reports the program that breaks it, and not the one that keeps it"
	bad, good, by := "found in %s of %s programs that break it", "in %s of %s that keep it", ""
	if from == "source" {
		bad, good, by = "by vet in %s of %s files that break it", "by vet in %s of %s that keep it", " by vet"
	}
	return []Clause{
		{From: from, Test: Always{Good: finding + "_bad_reported", Of: finding + "_bad", Least: 1, Words: bad, Timed: true},
			Holds: holds, Broken: "a program that breaks it is not reported" + by},
		{From: from, Test: Never{Bad: finding + "_good_reported", Of: finding + "_good", Least: 1, Words: good},
			Holds: holds, Broken: "a program that keeps it is reported" + by},
	}
}

// byFinding is a line that a finding of the report detects, and where rule is not "" the analyzer. A
// finding that is asked about several breaches has one of them after a slash.
func byFinding(id, section, claim, finding, rule string) Statement {
	name, _, _ := strings.Cut(finding, "/")
	s := Statement{
		ID: id, Section: section, Claim: claim,
		Method: fmt.Sprintf("a program that breaks it and one that keeps it, observed; whether the report has the "+
			"finding %s", name),
		Refuter: "a program that breaks it without the finding, or one that keeps it with the finding",
		Want:    "the finding " + name + ", of the bad program only",
		Clauses: detects("programs", finding),
	}
	if rule != "" {
		s.Method += "; a source file of each, read by pinwatch vet: whether it reports " + rule
		s.Refuter += "; the same of the files and the diagnostic"
		s.Clauses = append(s.Clauses, detects("source", rule)...)
	}
	return s
}

// also adds that a finding and the analyzer detect a breach of a line, to what is measured of its
// damage. Where nothing can be observed, the damage decides alone.
func also(s Statement, finding, rule string) Statement {
	d := byFinding(s.ID, s.Section, s.Claim, finding, rule)
	s.Method += ". And " + d.Method
	s.Refuter += "; or " + d.Refuter
	for _, c := range d.Clauses {
		c.Role = Support
		s.Clauses = append(s.Clauses, c)
	}
	return s
}

// seen adds why a breach is seen by one of findings and vet only, or by neither.
func seen(s Statement, why string) Statement {
	s.Seen = why
	return s
}

// Why a breach is not seen by the other, or by neither.
const (
	byVet      = "only vet can see a breach: a program that runs has no comments"
	byFindings = "only findings can see a breach: "
	byNeither  = "neither findings nor vet can see a breach: "
	unstopped  = byFindings + "whether anybody stops a worker is not in its source"
	amounts    = byFindings + "how many threads there are is not in the source"
	logged     = byNeither + "the number is text in the program's log"
	watched    = byNeither + "whoever watches is outside of the program"
	labelled   = byNeither + "a worker without labels runs as well, and may be seen in another way"
)

// bySource is a line that the analyzer checks in the source.
func bySource(id, section, claim, rule string) Statement {
	return Statement{
		ID: id, Section: section, Claim: claim,
		Method:  "a source file that breaks it and one that keeps it, read by the analyzer of pinwatch vet",
		Refuter: "a file that breaks it without a diagnostic, or one that keeps it with one",
		Want:    "a diagnostic, of the bad file only",
		Clauses: detects("source", rule),
	}
}

var compliance = []Statement{
	seen(bySource("C-1", Compliance,
		"every call of LockOSThread has a comment with the reason why the goroutine must be pinned", "comment"), byVet),
	byFinding("C-2", Compliance,
		"every LockOSThread has its deferred UnlockOSThread in the same function, or a comment with the reason why "+
			"not", "exit-while-locked-churn", "unlock"),
	byFinding("C-3", Compliance, "a worker goroutine is pinned, not the goroutine of a caller", "per-request-pinning",
		"caller"),
	byFinding("C-4", Compliance,
		"callers reach the pinned goroutine through a channel or a function, and need not be on its thread",
		"per-request-pinning", "caller"),
	byFinding("C-5", Compliance,
		"state of the thread is set up by the pinned goroutine, after LockOSThread and before its loop",
		"thread-differs/setup", "setup"),
	also(Statement{
		ID: "C-6", Section: Compliance,
		Claim:   "state of the thread is cleaned up by the pinned goroutine before UnlockOSThread",
		Method:  "goroutines leave a name on their thread; whether other goroutines find it there",
		Refuter: "state left on a thread that no other goroutine ever finds",
		Want:    "other goroutines find the state",
		Clauses: []Clause{{From: "migrate", Test: Happens{Count: "unlocked_strange", Of: "unlocked_samples", Least: 500,
			Words: "state of other goroutines found in %s of %s samples"},
			Holds:  "the next goroutine on the thread finds the state, so it has to be cleaned up",
			Broken: "no goroutine found state that another had left"}},
	}, "thread-differs/cleanup", "cleanup"),
	seen(byFinding("C-7", Compliance, "a worker can be stopped, and then releases its thread", "leaked-pin", ""),
		unstopped),
	{
		ID: "C-8", Section: Compliance, Seen: logged,
		Claim:   "a service logs at its start how many goroutines it pins",
		Method:  "the number that a program announces against the locked threads that pinwatch sees",
		Refuter: "a number that pinwatch does not confirm",
		Want:    "announced = seen",
		Clauses: []Clause{{From: "pins", Test: Always{Good: "locked_threads", Of: "pinned", Least: 3,
			Words: "%s locked threads seen, %s announced"},
			Holds:  "the announced number can be compared with the locked threads",
			Broken: "the announced number differs from the number of locked threads"}},
	},
	{
		ID: "C-9", Section: Compliance, Seen: watched,
		Claim:   "the number of threads is watched",
		Method:  "the Threads line of /proc/PID/status, which monitors read, against the threads in the runtime's memory",
		Refuter: "a number that is not the runtime's, or a locked thread that is not listed",
		Want:    "Threads = the runtime's count",
		Clauses: []Clause{threadsLine, lockedAreListed},
	},
	seen(byFinding("C-10", Compliance,
		"an alarm is raised when there are far more threads than the program's base and its pins "+
			"need", "thread-surplus", ""), amounts),
}

var review = []Statement{
	seen(bySource("R-1", Review, "is there a reason for the pin, a thread's affinity or a measured gain?", "comment"),
		byVet),
	byFinding("R-2", Review, "is the number of threads bounded, with no pin per request?", "per-request-pinning",
		"handler"),
	byFinding("R-3", Review, "does every lock have its unlock?", "exit-while-locked-churn", "paths"),
	byFinding("R-4", Review, "does the worker begin, drain and end in order?", "leaked-pin", "setup"),
	also(Statement{
		ID: "R-5", Section: Review,
		Claim:   "is a failure of the worker handled: panics recovered, the worker replaced?",
		Method:  "as E-5: panics of locked goroutines, recovered and not",
		Refuter: "a panic that is not recovered and ends nothing",
		Want:    "recovered: still locked; else: the process ends",
		Clauses: []Clause{
			{From: "exit", Test: Always{Good: "crashed", Of: "crashes", Least: 1,
				Words: "%s of %s processes ended by the panic"},
				Holds:  "a panic that is not recovered ends the whole process",
				Broken: "the process did not end"},
			{From: "exit", Test: Never{Bad: "recovered_moves", Of: "recovered_samples", Least: 200,
				Words: "moved in %s of %s samples after a recovery"},
				Holds:  "the worker is still locked",
				Broken: "the lock was gone after the panic"},
		},
	}, "unbalanced-lock", "defer"),
	{
		ID: "R-6", Section: Review, Seen: labelled, Scope: Scope{Since: 16},
		Claim:   "can the worker be seen: by labels in profiles, by metrics?",
		Method:  "as M-5: labelled workers in the goroutine profile",
		Refuter: "a labelled worker that the profile does not show",
		Want:    "every labelled worker is found",
		Clauses: []Clause{heldApart("labels"), {From: "labels", Test: Always{Good: "labelled_found", Of: "labelled", Least: 1,
			Words: "%s of %s workers found by label"},
			Holds: "labels make workers visible", Broken: "the profile lacks labels"}},
	},
}

// beyond are measured facts that the specification omits or has wrong.
var beyond = []Statement{
	{
		ID: "X-1", Section: Beyond,
		Claim: "a hand-off over a channel between two locked goroutines costs at least 10 times one between " +
			"others: two context switches instead of none",
		Method:  "ping-pong over channels, both locked and both not, in turn; median of the rounds' ratios",
		Refuter: "a median ratio below 10",
		Want:    "≥ 10 ×",
		Clauses: []Clause{{From: "handoff", Role: Premise, Test: Within{Sample: "switches_by_one",
			Label: "context switches against those with one locked", Lo: 1.2, Hi: math.Inf(1), Effect: true, Paired: true},
			Holds:  "both were locked, which costs more switches than one",
			Broken: "no more context switches than with one locked goroutine"}, {
			From: "handoff", Test: Within{Sample: "tax", Lo: 10, Hi: math.Inf(1), Effect: true},
			Holds:  "locked hand-offs cost that much more",
			Broken: "locked hand-offs are cheaper than that"}},
	}, {
		ID: "X-2", Section: Beyond,
		Claim: "the first LockOSThread of a process without C costs at least 100 times a later one",
		Method: "the first call in several processes by the median of later ones, median of the ratios; the threads " +
			"of the process just before and after the first call, also of processes with C",
		Refuter: "a median ratio below 100, or a first call that starts no thread",
		Want:    "≥ 100 ×, and one more thread",
		Clauses: []Clause{{From: "calls", Test: Within{Sample: "first_ratio", Lo: 100, Hi: math.Inf(1), Effect: true},
			Holds: "the first call costs that much more", Broken: "the first call is cheaper than that"}, {
			From: "calls", Test: Always{Good: "template_started", Of: "firsts", Least: 6,
				Words: "another thread after %s of %s first calls"},
			Holds: "the first call starts a thread, the template thread", Broken: "the first call started no thread"}, {
			From: "calls_c", Role: Support, Test: Within{Sample: "started", Label: "threads started by it with C", Lo: 0,
				Hi: 0.5, Effect: true}, // of whole numbers
			Holds:  "with C the template thread has been there from the start",
			Broken: "with C the first call starts a thread too"}},
	}, {
		ID: "X-3", Section: Beyond,
		Claim: "the P of a locked goroutine in a blocking system call is taken by sysmon, as a rule at its second " +
			"check in the call: after 20 µs to 20 ms",
		Method: "at GOMAXPROCS=1 long blocking calls of a locked goroutine; time from the call's begin to the next " +
			"goroutine's first step, less that from a park, where the goroutine itself hands its P to another thread; median",
		Refuter: "a median outside",
		Want:    "20 µs–20 ms",
		// sysmon sleeps for 20 µs at least and for 10 ms at most, and takes a P that it found in the same call at two
		// checks in a row (runtime/proc.go, sysmon and retake).
		Clauses: []Clause{as(Premise, ownThread), {From: "syscall", Test: Within{Sample: "retake", Lo: 20e3, Hi: 20e6},
			Holds: "the P is taken in that time after the call began", Broken: "the P is taken earlier or later"}},
	}, {
		ID: "X-4", Section: Beyond, Scope: Scope{Since: 25},
		Claim: "since Go 1.25 GOMAXPROCS follows the cgroup's CPU quota",
		Method: "as V-1.16, for this release; also with GOMAXPROCS=8 in the environment, with GODEBUG=containermaxprocs=0, " +
			"and with a quota of 1",
		Refuter: "a GOMAXPROCS that is not the quota",
		Want:    "the quota is followed",
		Clauses: []Clause{{From: "quota_now", Test: Always{Good: "followed", Of: "started", Least: 1,
			Words: "quota followed by %s of %s programs"},
			Holds:  "the quota is followed",
			Broken: "another number of CPUs is taken in spite of the quota"}, {
			From: "quota_now", Role: Exception, Test: Always{Good: "set_followed", Of: "set_started", Least: 1,
				Words: "followed in spite of a GOMAXPROCS in the environment by %s of %s"},
			Holds:  "the quota is followed in spite of GOMAXPROCS",
			Broken: "except where GOMAXPROCS is set in the environment: it overrides the quota"}, {
			From: "quota_now", Role: Exception, Test: Always{Good: "old_followed", Of: "old_started", Least: 1,
				Words: "with containermaxprocs=0 by %s of %s"},
			Holds: "the quota is followed with the setting of an older go.mod, too",
			Broken: "except with GODEBUG=containermaxprocs=0, the setting of a program whose go.mod names a Go before " +
				"1.25"}, {
			From: "quota_now", Role: Exception, Test: Always{Good: "one_followed", Of: "one_started", Least: 1,
				Words: "a quota of one CPU by %s of %s"},
			Holds:  "a quota of one CPU is followed, too",
			Broken: "except for a quota below two CPUs: GOMAXPROCS is 2 then"}},
	}, {
		ID: "X-5", Section: Beyond, Scope: Scope{Since: 26},
		Claim:   "since Go 1.26 the metric /sched/threads/total:threads counts the runtime's threads",
		Method:  "the metric against the kernel's list of threads of a program without C",
		Refuter: "a value that is not the kernel's",
		Want:    "metric = kernel's count",
		Clauses: []Clause{{From: "counts", Test: Always{Good: "metric_total", Of: "kernel_threads", Least: 3,
			Words: "metric %s, kernel %s", Timed: true},
			Holds:  "the metric is the kernel's count",
			Broken: "the metric differs from the kernel's count"}},
	},
}
