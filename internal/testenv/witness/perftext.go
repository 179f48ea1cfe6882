package witness

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// rawCall is a system call that perf records, with the names of its arguments, "" for an unused
// one.
type rawCall struct {
	name    string
	args    []string
	returns bool // its result is used
}

// rawCalls are the system calls that make, end and signal threads, by number. See syscalls(2) and,
// for the arguments, the page of each.
var rawCalls = map[int]rawCall{
	unix.SYS_CLONE:          {"clone", []string{"clone_flags"}, true},
	unix.SYS_CLONE3:         {"clone3", nil, true},
	unix.SYS_TGKILL:         {"tgkill", []string{"tgid", "pid", "sig"}, true},
	unix.SYS_EXIT:           {"exit", nil, false},
	unix.SYS_RT_SIGRETURN:   {"rt_sigreturn", nil, false},
	unix.SYS_RT_SIGPROCMASK: {"rt_sigprocmask", []string{"how", "nset"}, false},
	unix.SYS_SIGALTSTACK:    {"sigaltstack", []string{"uss"}, false},
}

// rawText matches perf's text of a system call: "NR 56 (d0f00, 18ca73572000, …)", in hexadecimal,
// or "NR 56 = 30333".
var rawText = regexp.MustCompile(`NR (-?\d+) (?:\((.*)\)|= (-?\d+))`)

// parseRawCall turns a raw_syscalls event into a syscalls one. It leaves the name of a call that is
// not in rawCalls.
func parseRawCall(e *TraceEvent, text string) error {
	m := rawText.FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("no system call: %q", text)
	}
	nr, err := strconv.Atoi(m[1])
	if err != nil {
		return err
	}
	c, known := rawCalls[nr]
	if !known {
		return nil
	}
	e.Name += "_" + c.name
	if m[3] != "" {
		e.Args["ret"] = m[3]
		return nil
	}
	values := strings.Split(m[2], ", ")
	for i, name := range c.args {
		if i < len(values) {
			e.Args[name] = hex(values[i])
		}
	}
	return nil
}

// parsePerfEvent reads one line of perf script -F tid,cpu,time,event,trace:
//
//	30327 [001] 22576.619404030: task:task_newtask: pid=30333 comm=x clone_flags=d0f00 oom_score_adj=0
//
// A line about lost events is an error, as any other that is no event.
func parsePerfEvent(line string) (e TraceEvent, err error) {
	wrong := fmt.Errorf("no event: %q", line)
	fields := strings.Fields(line)
	if len(fields) < 4 || !strings.HasPrefix(fields[1], "[") {
		return e, wrong
	}
	tid, err1 := strconv.ParseInt(fields[0], 10, 32)
	cpu, err2 := strconv.Atoi(strings.Trim(fields[1], "[]"))
	seconds, nanos, ok := strings.Cut(strings.TrimSuffix(fields[2], ":"), ".")
	ns, err3 := strconv.ParseInt(seconds+nanos, 10, 64)
	family, name, ok2 := strings.Cut(strings.TrimSuffix(fields[3], ":"), ":")
	if err1 != nil || err2 != nil || err3 != nil || !ok || len(nanos) != 9 || !ok2 {
		return e, wrong
	}
	e = TraceEvent{Time: ns, CPU: cpu, TID: int32(tid), Name: name, Args: map[string]string{}}
	_, text, _ := strings.Cut(line, fields[3])
	if family == "raw_syscalls" {
		return e, parseRawCall(&e, text)
	}
	e.Args = parseFields(fields[4:])
	if name == "sched_switch" { // perf prints -1 for a thread that has left the kernel's lists
		prev, _ := e.Int("prev_pid")
		e.TID = int32(prev)
	}
	return e, nil
}

// parseFields reads name=value fields. The values may have spaces in them.
func parseFields(words []string) map[string]string {
	args := map[string]string{}
	last := ""
	for _, word := range words {
		name, value, ok := strings.Cut(word, "=")
		switch {
		case ok && name != "" && strings.Trim(word, "=>") != "":
			if hexFields[name] {
				value = hex(value)
			}
			args[name] = value
			last = name
		case word != "==>" && last != "":
			args[last] += " " + word
		}
	}
	return args
}

// perfSyscall matches a line of perf trace -T with both ends of a call: in ms, the enter's time and
// the duration.
var perfSyscall = regexp.MustCompile(
	`^\s*(\d+\.\d{3}) \(\s*(\d+\.\d{3}) ms\): .*/(\d+)\s+(?:\.\.\. \[continued\]: )?(\w+)\(.* = (-?\d+)`)

func parsePerfSyscall(line string) (c PerfSyscall, ok bool) {
	m := perfSyscall.FindStringSubmatch(line)
	if m == nil {
		return c, false
	}
	var errs [4]error
	var tid int64
	c.Name = m[4]
	c.Time, errs[0] = decimal(m[1], 6)
	c.NS, errs[1] = decimal(m[2], 6)
	tid, errs[2] = strconv.ParseInt(m[3], 10, 32)
	c.Ret, errs[3] = strconv.ParseInt(m[5], 10, 64)
	c.TID = int32(tid)
	return c, errs == [4]error{}
}

// perfRun is a line of perf sched timehist: seconds, CPU, name and ids, and in ms wait time, sch
// delay and run time.
var perfRun = regexp.MustCompile(
	`^\s*(\d+\.\d{6}) \[\d+\]\s+.*\[(-?\d+)(?:/-?\d+)?\]\s+\d+\.\d{3}\s+(\d+\.\d{3})\s+(\d+\.\d{3})`)

func parsePerfRun(line string) (r PerfRun, ok bool) {
	m := perfRun.FindStringSubmatch(line)
	if m == nil {
		return r, false
	}
	var errs [4]error
	var tid int64
	r.Time, errs[0] = decimal(m[1], 9)
	tid, errs[1] = strconv.ParseInt(m[2], 10, 32)
	r.DelayNS, errs[2] = decimal(m[3], 6)
	r.RunNS, errs[3] = decimal(m[4], 6)
	r.TID = int32(tid)
	return r, errs == [4]error{}
}

// decimal reads a number with a fraction of at most power digits and multiplies it by ten to that
// power.
func decimal(s string, power int) (int64, error) {
	whole, fraction, _ := strings.Cut(s, ".")
	return strconv.ParseInt(whole+fraction+strings.Repeat("0", max(0, power-len(fraction))), 10, 64)
}
