package witness

import (
	"bufio"
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// TraceEvent is one line of a trace.
type TraceEvent struct {
	Time int64  // CLOCK_MONOTONIC in ns, rounded by the kernel to the nearest µs
	CPU  int    // where it happened
	TID  int32  // thread in whose context it happened; 0 = idle
	Name string // as "signal_generate", "sys_enter_clone", "sys_exit_clone"

	// Args are the printed fields by name. Hexadecimal numbers always begin with 0x. The result of
	// a system call is "ret".
	Args map[string]string
}

// Int is the numeric argument of that name, and false if there is none. Numbers of 64 bits are
// signed: a ret of 0xffffffffffffffea is -22.
func (e TraceEvent) Int(name string) (int64, bool) {
	s, ok := e.Args[name]
	if !ok {
		return 0, false
	}
	if v, err := strconv.ParseInt(s, 0, 64); err == nil {
		return v, true
	}
	v, err := strconv.ParseUint(s, 0, 64)
	return int64(v), err == nil
}

// is reports whether the argument of that name is this number.
func (e TraceEvent) is(name string, want int64) bool {
	v, ok := e.Int(name)
	return ok && v == want
}

const cloneThread = 0x10000 // CLONE_THREAD, include/uapi/linux/sched.h

// subjects names the argument with the id of the other thread of an event.
var subjects = map[string]string{
	"signal_generate": "pid", "sched_waking": "pid", "sched_wakeup_new": "pid", "sched_switch": "next_pid",
}

// OfThreads selects from a whole trace the events of one process: those on its threads, and
// signals, wakings and switches to them. initial has its threads, listed after StartTrace returned,
// so that none is made in between, and before any of them can end. task_newtask adds its later
// threads. sched_process_exit removes ended ones, except for their last switch-out. So a trace
// needs both events if threads come and go. In a switch between one of its threads and a thread of
// another process, the other becomes 0: a tid of the process may have been another's, or may be
// later.
func OfThreads(events []TraceEvent, initial []int32) []TraceEvent {
	member, dying := map[int32]bool{}, map[int32]bool{}
	for _, tid := range initial {
		member[tid] = true
	}
	var selected []TraceEvent
	for _, e := range events {
		subject, _ := e.Int(subjects[e.Name]) // 0 is no thread
		on, to := member[e.TID], member[int32(subject)]
		if e.Name == "sched_switch" {
			on, to = on || dying[e.TID], to || dying[int32(subject)]
		}
		if !on && !to {
			continue
		}
		if e.Name == "sched_switch" {
			if !on {
				e.TID = 0
			}
			if !to {
				e.Args = maps.Clone(e.Args)
				e.Args["next_pid"] = "0"
			}
		}
		selected = append(selected, e)
		switch e.Name {
		case "task_newtask":
			flags, _ := e.Int("clone_flags")
			if child, _ := e.Int("pid"); flags&cloneThread != 0 {
				member[int32(child)] = true
				delete(dying, int32(child))
			}
		case "sched_process_exit":
			delete(member, e.TID)
			dying[e.TID] = true
		case "sched_switch":
			if on && e.lastSwitch() {
				delete(dying, e.TID)
			}
		}
	}
	return selected
}

// lastSwitch reports whether a sched_switch is its thread's last: dead, or a zombie.
func (e TraceEvent) lastSwitch() bool { return strings.ContainsAny(e.Args["prev_state"], "XZ") }

// Switch is the two sides of a sched_switch: the switch-out and the switch-in. ok is false for
// events of other names.
func (e TraceEvent) Switch() (out, in SwitchEvent, ok bool) {
	next, ok := e.Int("next_pid")
	if !ok || e.Name != "sched_switch" {
		return SwitchEvent{}, SwitchEvent{}, false
	}
	out = SwitchEvent{Time: e.Time, TID: e.TID, CPU: e.CPU, Dead: e.lastSwitch()}
	out.Runnable = strings.HasPrefix(e.Args["prev_state"], "R")
	return out, SwitchEvent{Time: e.Time, TID: int32(next), CPU: e.CPU, In: true}, true
}

// CountEvents counts the events of a name in [start, end) whose arguments all have the given
// values: name, number, name, number, …
func CountEvents(events []TraceEvent, start, end int64, name string, args ...any) int {
	n := 0
next:
	for _, e := range events {
		if e.Name != name || e.Time < start || e.Time >= end {
			continue
		}
		for i := 0; i < len(args); i += 2 {
			if !e.is(args[i].(string), int64(args[i+1].(int))) {
				continue next
			}
		}
		n++
	}
	return n
}

// parseTrace reads the text of the file "trace" and returns its events by time.
func parseTrace(sc *bufio.Scanner) ([]TraceEvent, error) {
	var events []TraceEvent
	for sc.Scan() {
		if line := sc.Text(); line != "" && line[0] != '#' {
			e, err := parseEvent(line)
			if err != nil {
				return nil, err
			}
			events = append(events, e)
		}
	}
	slices.SortStableFunc(events, func(a, b TraceEvent) int { return cmp.Compare(a.Time, b.Time) })
	return events, sc.Err()
}

var (
	// comm-tid [cpu] flags seconds.micros: event. The name of the thread may hold any character.
	traceLine = regexp.MustCompile(`^\s*.*?-(\d+)\s+\[(\d{3,})\]\s+\S+\s+(\d+)\.(\d{6}): (.*)$`)
	// A system call is printed as a call or with its result (kernel/trace/trace_syscalls.c), the
	// others as name: a=b c=d.
	syscallEnter = regexp.MustCompile(`^sys_(\w+)\((.*)\)$`)
	syscallExit  = regexp.MustCompile(`^sys_(\w+) -> (\w+)$`)
	otherEvent   = regexp.MustCompile(`^(\w+): (.*)$`)
	field        = regexp.MustCompile(`(\w+)=`)
)

// hexFields are the fields printed in hexadecimal without 0x
// (include/trace/events/{task,signal}.h).
var hexFields = map[string]bool{"clone_flags": true, "sa_handler": true, "sa_flags": true}

// parseEvent reads one line. A line about lost events is an error, as any other that is no event.
func parseEvent(line string) (TraceEvent, error) {
	m := traceLine.FindStringSubmatch(line)
	if m == nil {
		return TraceEvent{}, fmt.Errorf("no event: %q", line)
	}
	var e TraceEvent
	tid, err1 := strconv.ParseInt(m[1], 10, 32)
	cpu, err2 := strconv.Atoi(m[2])
	micros, err3 := strconv.ParseInt(m[3]+m[4], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return TraceEvent{}, fmt.Errorf("number out of range: %q", line)
	}
	e.Time, e.CPU, e.TID, e.Args = micros*1000, cpu, int32(tid), map[string]string{}

	text := m[5]
	if m := syscallEnter.FindStringSubmatch(text); m != nil {
		e.Name = "sys_enter_" + m[1]
		for arg := range strings.SplitSeq(m[2], ", ") {
			if name, value, ok := strings.Cut(arg, ": "); ok {
				e.Args[name] = hex(value)
			}
		}
		return e, nil
	}
	if m := syscallExit.FindStringSubmatch(text); m != nil {
		e.Name = "sys_exit_" + m[1]
		e.Args["ret"] = hex(m[2])
		return e, nil
	}
	m = otherEvent.FindStringSubmatch(text)
	if m == nil {
		return TraceEvent{}, fmt.Errorf("no event: %q", line)
	}
	e.Name = m[1]
	at := field.FindAllStringSubmatchIndex(m[2], -1)
	for i, f := range at {
		end := len(m[2])
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		name, value := m[2][f[2]:f[3]], strings.TrimSpace(m[2][f[1]:end])
		if hexFields[name] {
			value = hex(value)
		}
		e.Args[name] = value
	}
	return e, nil
}

// hex puts 0x before a hexadecimal number. Kernels before 6.x print the arguments of system calls
// without it.
func hex(s string) string {
	if strings.HasPrefix(s, "0x") {
		return s
	}
	return "0x" + s
}
