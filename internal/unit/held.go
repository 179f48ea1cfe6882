package unit

import (
	"cmp"
	"strings"
)

// Held describes what holds a thread, in the words of package holders. "" = not known, or none.
type Held struct{ Use, Function, Via, Call, CFunc, WChan string }

// String writes it for people: "main.work in read(2), anon_pipe_read".
func (h Held) String() string {
	function := cmp.Or(Function(h.Function), "a goroutine")
	var parts []string
	switch h.Use {
	case "call":
		parts = append(parts, function+" in "+cmp.Or(callWord(h.Call), "a system call"), h.WChan)
	case "c":
		name := "C"
		if h.CFunc != "" {
			name += " (" + h.CFunc + ")"
		}
		parts = append(parts, function+" in "+name, callWord(h.Call), h.WChan)
	case "runs":
		parts = append(parts, function+", running")
	case "parked":
		if h.Via == "runtime.asyncPreempt" || h.Via == "runtime.Gosched" { // it does not wait for an event
			parts = append(parts, function+", interrupted, waits for its turn")
			break
		}
		parts = append(parts, function+", parked")
		if h.Via != "" {
			parts[0] += " in " + Function(h.Via)
		}
	case "idle":
		parts = append(parts, "no goroutine: idle, kept by the runtime for later")
	case "runtime":
		parts = append(parts, "the runtime itself")
		if h.Function != "" {
			parts[0] += ": " + h.Function
		}
	case "exited":
		parts = append(parts, "no goroutine: it exited while locked")
	case "ended":
		parts = append(parts, "nothing: the thread has ended, others go on")
	case "foreign":
		parts = append(parts, "a C thread", h.WChan)
		if h.Function == "io_worker" {
			parts[0] = "the kernel's own work"
		}
		if h.Call != "" {
			parts[0] += " in " + callWord(h.Call)
		}
	default:
		parts = append(parts, "not known by whom", callWord(h.Call), h.WChan)
	}
	kept := parts[:0]
	for _, part := range parts {
		if part != "" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, ", ")
}

// callWord writes the name of a system call like its manual page: "read(2)".
func callWord(call string) string {
	if call == "" || strings.Contains(call, " ") { // a number without a name
		return call
	}
	return call + "(2)"
}
