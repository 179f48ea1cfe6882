package vet

import "slices"

// Check is one thing that is looked for.
type Check struct {
	Name      string // the category of its diagnostics
	Statement string // the line of the specification's checklists, or its statement: C-2
	Summary   string // what is reported, in one clause
}

// C-1 to C-10 are the lines of the compliance checklist, R-1 to R-6 the questions for a review, in the specification's order.
var (
	checkComment   = Check{"comment", "C-1", "a lock without a comment that says why"}
	checkUnlock    = Check{"unlock", "C-2", "a lock that its function does not release, with nothing said about it"}
	checkDefer     = Check{"defer", "C-2", "an unlock at the end of a function that is not deferred: a panic leaves the lock"}
	checkCaller    = Check{"caller", "C-3", "an exported function that waits, or runs its caller's code, while it pins its caller's goroutine"}
	checkSetup     = Check{"setup", "C-5", "a thread's state that is set up before the lock"}
	checkCleanup   = Check{"cleanup", "C-6", "a thread's state that is put back after the unlock"}
	checkHandler   = Check{"handler", "R-2", "an HTTP or gRPC handler that pins a thread for every request"}
	checkPaths     = Check{"paths", "R-3", "a lock that is released on some paths only"}
	checkElsewhere = Check{"elsewhere", "R-3", "a lock that another function, or another goroutine, has to release"}
	checkLoop      = Check{"loop", "R-3", "a lock that every turn of a loop adds to"}
	checkNested    = Check{"nested", "E-1", "a lock taken twice in one function"}
	checkUnlocked  = Check{"unlocked", "G-1", "a thread's state that is changed by a goroutine that is not locked to it"}
	checkGoroutine = Check{"goroutine", "G-9", "a goroutine that relies on the state of the locked thread that starts it"}
	checkIgnore    = Check{"ignore", "R-1", "a //pinwatch:ignore without a reason"}
)

// Checks are all there are, in the order of the checklists.
var Checks = []Check{
	checkComment, checkUnlock, checkDefer, checkCaller, checkSetup, checkCleanup, checkHandler,
	checkPaths, checkElsewhere, checkLoop, checkNested, checkUnlocked, checkGoroutine, checkIgnore,
}

// CheckNames are the names of all checks.
func CheckNames() []string {
	names := make([]string, len(Checks))
	for i, c := range Checks {
		names[i] = c.Name
	}
	return names
}

func checkNamed(name string) (Check, bool) {
	i := slices.IndexFunc(Checks, func(c Check) bool { return c.Name == name })
	if i < 0 {
		return Check{}, false
	}
	return Checks[i], true
}
