// Package cause finds out from a user stack why a thread was created, why the runtime sent SIGURG
// and why a locked thread parked. It is pure: the names of functions in, words out.
package cause

import (
	"slices"
	"strings"
)

// Words for causes, as reports print them. The others stand in the rules.
const (
	Other   = "other"    // a stack that matches no rule
	Unknown = "unknown"  // no usable stack
	Locked  = "locked"   // of an exit: the goroutine ended while locked
	Cgo     = "cgo"      // of a creation: by C code
	GivenUp = "given_up" // of a park: the goroutine gave up its CPU to a preemption

	// TemplateThread is the cause of a creation for a locked M, whose thread must not be cloned, and
	// of the template thread's own, at the first LockOSThread.
	TemplateThread = "template_thread"

	// StopTheWorld is the cause of a SIGURG to a thread that is to stop.
	StopTheWorld = "stop_the_world"
)

// What is a kind of act that has a cause.
type What uint8

// The creation and exit(2) of threads, SIGURG, and the park of a locked thread, which is not in
// reports.
const (
	Create What = iota
	Exit
	Preempt
	Park
)

// String returns the word in reports.
func (w What) String() string { return [...]string{"create", "exit", "preempt", "park"}[w] }

// Class is the cause that a stack shows, and the user's code behind it.
type Class struct {
	Cause    string
	Reason   string // of a stop-the-world: what for
	Function string // the innermost function that is not the runtime's; "" = none
}

// Words lists the causes that the rules for creations and preemptions can give.
func Words() []string {
	var words []string
	for _, r := range slices.Concat(createRules, preemptRules) {
		if !slices.Contains(words, r.cause) {
			words = append(words, r.cause)
		}
	}
	return words
}

// Classify returns the class of a stack: functions as the runtime names them, innermost first, ""
// for one that is not in the Go program. The cause of an exit does not show in its stack: only
// Function is found.
func Classify(what What, functions []string) Class {
	if len(functions) == 0 {
		return Class{Cause: Unknown}
	}
	k := Class{Cause: Other, Function: userFunction(functions)}
	// templateThread calls newm1.
	byRuntime := onStack(functions, []string{"newm"}) || onStack(functions, []string{"newm1"})
	if what == Create && functions[0] == "" && !byRuntime {
		k.Cause = Cgo
		return k
	}
	for _, r := range rulesOf(what) {
		if onStack(functions, r.all) {
			k.Cause = r.cause
			break
		}
	}
	if k.Cause == StopTheWorld {
		k.Reason = stopReason(functions)
	}
	return k
}

func rulesOf(what What) []rule {
	switch what {
	case Create:
		return createRules
	case Preempt:
		return preemptRules
	case Park:
		return parkRules
	}
	return nil
}

func onStack(functions, all []string) bool {
	for _, name := range all {
		if !slices.ContainsFunc(functions, func(f string) bool { return isRuntimeFunc(f, name) }) {
			return false
		}
	}
	return true
}

// isRuntimeFunc reports whether function is runtime.name, a method of that name or a closure in it.
func isRuntimeFunc(function, name string) bool {
	rest, ok := strings.CutPrefix(function, "runtime.")
	if !ok {
		return false
	}
	if strings.HasPrefix(rest, "(") {
		_, rest, ok = strings.Cut(rest, ").")
		if !ok {
			return false
		}
	}
	return rest == name || strings.HasPrefix(rest, name+".func")
}

func stopReason(functions []string) string {
	for _, f := range functions {
		for _, r := range stopReasons {
			if isRuntimeFunc(f, r.function) {
				return r.reason
			}
		}
	}
	return Unknown
}

// userFunction returns the innermost function that is neither the runtime's nor C's; "" = none.
func userFunction(functions []string) string {
	for _, f := range functions {
		switch {
		case !strings.Contains(f, "."):
		case strings.Contains(f, "._Cfunc_"): // cmd/cgo makes it for a call of C
		case strings.HasPrefix(f, "runtime."), strings.HasPrefix(f, "runtime/"), strings.HasPrefix(f, "internal/runtime/"):
		default:
			return f
		}
	}
	return ""
}
