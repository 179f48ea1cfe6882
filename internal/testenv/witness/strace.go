package witness

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

// Strace has strace follow a command and its descendants.
type Strace struct {
	t    testing.TB
	file string
}

// StartStrace makes cmd, which has not been started, run under strace. It slows the command down,
// and stops it at each of its clones and ends. It does not use strace's --seccomp-bpf: that loses
// the calls after an exec by a thread that does not lead its process (seen with strace 6.1).
func StartStrace(t testing.TB, cmd *exec.Cmd) *Strace {
	t.Helper()
	testenv.Require(t, testenv.Strace)
	s := &Strace{t: t, file: filepath.Join(t.TempDir(), "strace")}
	path, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal(err)
	}
	const calls = "trace=clone,clone3,fork,vfork,execve,execveat,exit,exit_group,tgkill"
	args := []string{"strace", "-f", "-q", "-o", s.file, "-e", calls, "-e", "signal=none", "-s", "4096", "--", cmd.Path}
	cmd.Path, cmd.Args = path, append(args, cmd.Args[1:]...)
	return s
}

// Processes are the accounts of the command and its descendants, once it has ended.
func (s *Strace) Processes() []*Process {
	s.t.Helper()
	f, err := os.Open(s.file)
	if err != nil {
		s.t.Fatalf("read strace's output: %v", err)
	}
	defer f.Close()
	events, err := parseStrace(bufio.NewScanner(f))
	if err != nil {
		s.t.Fatalf("read strace's output: %v", err)
	}
	return accountTree(events, straceRoot, []int32{straceRoot})
}

// straceRoot stands for the thread that made the command.
const straceRoot = -1

var (
	straceLine    = regexp.MustCompile(`^(\d+) +(.*)$`)
	straceCall    = regexp.MustCompile(`^(\w+)\((.*)$`)
	straceResumed = regexp.MustCompile(`^<\.\.\. (\w+) resumed>(.*)$`)
	straceResult  = regexp.MustCompile(`\) += (-?\d+)`)
	straceFlags   = regexp.MustCompile(`flags=([A-Z_|0-9a-fx]+)`)
	straceName    = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)
	straceEnd     = regexp.MustCompile(`^\+\+\+ (exited|killed|superseded) .*?(\d*) \+\+\+$`)
)

// straceReader turns lines of strace into the events of a trace.
type straceReader struct {
	events []TraceEvent
	begun  map[int32]int    // the unfinished call of a thread: its place among the events
	text   map[int32]string // and its arguments
	by     map[int32]int32  // thread that executes a program, by the process that it takes over
}

// parseStrace reads the output of strace -f -o. An event stands where its call began, so that a
// thread is made before it does something.
func parseStrace(sc *bufio.Scanner) ([]TraceEvent, error) {
	r := straceReader{begun: map[int32]int{}, text: map[int32]string{}, by: map[int32]int32{}}
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		m := straceLine.FindStringSubmatch(sc.Text())
		if m == nil {
			return nil, fmt.Errorf("no line of a thread: %q", sc.Text())
		}
		tid, err := strconv.ParseInt(m[1], 10, 32)
		if err != nil {
			return nil, err
		}
		if len(r.events) == 0 {
			r.event(straceRoot, "task_newtask", "pid", m[1], "clone_flags", "0")
		}
		r.line(int32(tid), m[2])
	}
	return r.events, sc.Err()
}

func (r *straceReader) event(tid int32, name string, args ...string) {
	e := TraceEvent{TID: tid, Name: name, Args: map[string]string{}}
	for i := 0; i < len(args); i += 2 {
		e.Args[args[i]] = args[i+1]
	}
	r.events = append(r.events, e)
}

func (r *straceReader) line(tid int32, text string) {
	if m := straceEnd.FindStringSubmatch(text); m != nil {
		r.event(tid, "sched_process_exit")
		if m[1] == "superseded" { // by another thread's execve, which strace resumes under this id
			by, _ := strconv.ParseInt(m[2], 10, 32)
			r.by[tid] = int32(by)
			r.begun[tid], r.text[tid] = r.begun[int32(by)], r.text[int32(by)]
		}
		return
	}
	if m := straceResumed.FindStringSubmatch(text); m != nil {
		r.finish(tid, m[1], r.text[tid], m[2])
		return
	}
	m := straceCall.FindStringSubmatch(text)
	if m == nil {
		return
	}
	r.begun[tid], r.text[tid] = len(r.events), m[2]
	r.event(tid, "") // its place
	switch m[1] {
	case "exit":
		r.events[r.begun[tid]].Name = "sys_enter_exit"
	case "tgkill":
		if strings.Contains(m[2], ", SIGURG") {
			r.events[r.begun[tid]] = TraceEvent{TID: tid, Name: "sys_enter_tgkill", Args: map[string]string{"sig": "23"}}
		}
	default:
		if !strings.Contains(m[2], "<unfinished ...>") {
			r.finish(tid, m[1], m[2], m[2])
		}
	}
}

// finish enters the result of a call that began with some arguments.
func (r *straceReader) finish(tid int32, name, begin, end string) {
	m := straceResult.FindAllStringSubmatch(end, -1)
	if m == nil { // no number: to be restarted, or the thread ended in it
		return
	}
	result := m[len(m)-1][1]
	e := &r.events[r.begun[tid]]
	switch {
	case strings.HasPrefix(result, "-"):
	case name == "clone" || name == "clone3" || name == "fork" || name == "vfork":
		flags := "0"
		if f := straceFlags.FindStringSubmatch(begin); f != nil && strings.Contains(f[1], "CLONE_THREAD") {
			flags = fmt.Sprint(cloneThread)
		}
		*e = TraceEvent{TID: tid, Name: "task_newtask", Args: map[string]string{"pid": result, "clone_flags": flags}}
	case name == "execve" || name == "execveat":
		by := r.by[tid]
		if by == 0 {
			by = tid
		}
		delete(r.by, tid)
		var file string
		if f := straceName.FindStringSubmatch(begin); f != nil {
			file = f[1]
		}
		r.event(tid, "sched_process_exec", "filename", file, "pid", fmt.Sprint(tid), "old_pid", fmt.Sprint(by))
	}
}
