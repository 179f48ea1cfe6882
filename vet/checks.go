package vet

import "slices"

// Check describes one check.
type Check struct {
	Name      string // the category of its diagnostics
	Statement string // the line of the specification's checklists, or its statement: C-2
	Summary   string // what is reported, in one clause
}

// Style reports whether the check is about how a lock is written, not about a mistake.
func (c Check) Style() bool { return c == checkComment || c == checkDefer || c == checkIgnore }

// C-1 to C-10 are the lines of the compliance checklist, R-1 to R-6 the questions for a review, in
// the specification's order.
var (
	checkComment   = Check{"comment", "C-1, R-1", "a lock without a comment that gives its reason"}
	checkUnlock    = Check{"unlock", "C-2", "a lock that its function does not release, without a comment on it"}
	checkDefer     = Check{"defer", "C-2, R-5", "an undeferred unlock at the end of a function: a panic leaves the lock"}
	checkCaller    = Check{"caller", "C-3, C-4", "an exported function that pins its caller and waits or calls back"}
	checkSetup     = Check{"setup", "C-5, R-4", "thread state that is set before the lock"}
	checkCleanup   = Check{"cleanup", "C-6", "thread state that is not put back before the unlock, or not on all paths"}
	checkClosure   = Check{"closure", "C-6", "a function given to NetNS.Do or the like that changes other thread state"}
	checkHandler   = Check{"handler", "R-2", "an HTTP or gRPC handler that pins a thread for every request"}
	checkPaths     = Check{"paths", "R-3", "a lock that is released on some paths only"}
	checkElsewhere = Check{"elsewhere", "R-3", "a lock that another function, or another goroutine, has to release"}
	checkLoop      = Check{"loop", "R-3", "a lock that every iteration of a loop takes again"}
	checkNested    = Check{"nested", "E-1", "a lock taken twice in one function"}
	checkDeath     = Check{"pdeathsig", "G-4", "a child with Pdeathsig whose thread may end before it"}
	checkUnlocked  = Check{"unlocked", "G-1", "thread state that is changed by a goroutine without a lock"}
	checkGoroutine = Check{"goroutine", "G-9", "a goroutine that relies on the state of the locked thread that started it"}
	checkIgnore    = Check{"ignore", "R-1", "a //pinwatch:ignore without a reason"}
)

// Checks are all checks, in the order of the checklists.
var Checks = []Check{
	checkComment, checkUnlock, checkDefer, checkCaller, checkSetup, checkCleanup, checkClosure, checkHandler,
	checkPaths, checkElsewhere, checkLoop, checkNested, checkDeath, checkUnlocked, checkGoroutine, checkIgnore,
}

// CheckNames returns the names of all checks.
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
