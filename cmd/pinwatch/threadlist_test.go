package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/schematest"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// TestThreadsHeld lists threads in read(2): by the account their goroutines are locked, and all
// began in one function.
func TestThreadsHeld(t *testing.T) {
	p := testenv.Workload(t, "blocked", "-n", "5", "-pace", "1h")
	var l report.ThreadList
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if l = listThreads(t, p.PID, "--stacks"); l.Groups[0].Threads == 5 { // all have begun to read
			break
		}
	}
	texts := map[string]string{}
	for _, by := range report.Groupings {
		code, stdout, stderr := pinwatch(t, "threads", "-p", strconv.Itoa(p.PID), "--by", by)
		if code != exitOK || stderr != "" || strings.Contains(stdout, "\n     tid ") {
			t.Errorf("--by %s: exit code %d, or a row for each thread in\n%s%s", by, code, stdout, stderr)
		}
		texts[by] = stdout
	}
	// Before 5.16, a kernel without frame pointers does not know where a thread sleeps
	// (arch/x86/kernel/process.c, get_wchan).
	wchan, in := procfs.Process(p.PID).WChan() != "", "× a goroutine in read(2)"
	if wchan {
		in += ", "
	}
	pins := map[int32]string{}
	for _, pin := range p.Quiesce().Pins {
		pins[int32(pin.TID)] = pin.Entry
	}
	for _, th := range l.Threads {
		entry, pinned := pins[th.TID]
		if !pinned {
			if th.Use == nil || *th.Use == "unknown" {
				t.Errorf("not known: %s", row(th))
			}
			continue
		}
		if *th.Use != "call" || *th.Call != "read" || *th.Via != "syscall.Read" || th.WChan != nil != wchan ||
			th.Function == nil ||
			!strings.HasPrefix(*th.Function, "github.com/pinwatch/") || len(th.Stack) < 3 ||
			!strings.Contains(strings.Join(th.Stack, "\n"), entry) {
			t.Errorf("%s, want a function of this module in read", row(th))
		}
	}
	if g := l.Groups[0]; g.Threads != 5 || *g.Use != "call" || *g.Call != "read" || *g.Lock != "user" || len(g.TIDs) != 5 {
		t.Errorf("the largest group is %+v", g)
	}
	for by, want := range map[string]string{
		"function": ".(*Workload).reader.", "wait": in,
		"lock": "5 × locked by the user", "namespace": "net:[",
	} {
		if !strings.Contains(texts[by], want) {
			t.Errorf("--by %s: no %q in\n%s", by, want, texts[by])
		}
	}
}

// TestThreadsStacks compares what holds threads, and their stacks, with the program's account. The
// matrix of Go releases does the same for each release.
func TestThreadsStacks(t *testing.T) {
	p := testenv.Workload(t, "held")
	l := listThreads(t, p.PID, "--stacks")
	byGoID := map[uint64]report.ListedThread{}
	for _, th := range l.Threads {
		if th.RunningGoID != nil {
			byGoID[*th.RunningGoID] = th
		} else if th.GoID != nil {
			byGoID[*th.GoID] = th
		}
	}
	held := p.Quiesce().Held
	if len(held) == 0 {
		t.Fatal("the workload holds no threads")
	}
	for _, h := range held {
		th, ok := byGoID[uint64(h.GoID)]
		stack := th.Stack[max(0, len(th.Stack)-len(h.Stack)):]
		same := func(frame, function string) int { return strings.Compare(strings.Split(frame, " (")[0], function) }
		if !ok || h.TID != 0 && int(th.TID) != h.TID || th.Use == nil || *th.Use != h.Use || th.Function == nil ||
			*th.Function != h.Stack[0] || h.Call != "" && *th.Call != h.Call || slices.CompareFunc(stack, h.Stack, same) != 0 {
			t.Errorf("%s, want %+v", row(th), h)
		}
	}
}

// TestThreadsNamespaces lists this process, of which one thread has a namespace of its own.
func TestThreadsNamespaces(t *testing.T) {
	testenv.Require(t, testenv.BPF) // for the privilege to make a namespace
	apart, end := make(chan int32), make(chan bool)
	defer close(end)
	go func() { // never unlocked: the thread ends with the goroutine
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWUTS); err != nil {
			t.Error(err)
		}
		apart <- int32(unix.Gettid())
		<-end
	}()
	tid := <-apart
	l := listThreads(t, os.Getpid(), "--by", "namespace")
	if len(l.Groups) != 2 || !slices.Equal(l.Groups[1].TIDs, []int32{tid}) || l.Groups[0].Namespaces["net"] == "" ||
		l.Groups[0].Namespaces["uts"] == l.Groups[1].Namespaces["uts"] {
		t.Errorf("thread %d is not apart: %+v", tid, l.Groups)
	}
}

// TestThreadsWatch lists again and again until Ctrl-C, and marks threads that come and go.
func TestThreadsWatch(t *testing.T) {
	p := testenv.Workload(t, "churn", "-hold")
	p.Go()
	cmd := process("threads", "-p", strconv.Itoa(p.PID), "-w", "50ms", "-o", "json")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lists := json.NewDecoder(out)
	var begun, ended int
	for i := 0; i < 3 || begun == 0 || ended == 0; i++ {
		var doc json.RawMessage
		if err := lists.Decode(&doc); err != nil {
			t.Fatalf("%v: %s", err, &errs)
		}
		if err := schematest.CheckThreadList(doc); err != nil {
			t.Fatal(err)
		}
		var l report.ThreadList
		if err := json.Unmarshal(doc, &l); err != nil {
			t.Fatal(err)
		}
		if (l.Ended == nil) != (i == 0) {
			t.Fatalf("list %d: ended %v", i, l.Ended)
		}
		if i == 0 {
			continue
		}
		ended += *l.Ended
		for _, th := range l.Threads {
			if th.Change != nil && *th.Change == report.ChangeNew {
				begun++
			}
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil || errs.Len() != 0 {
		t.Errorf("%v: %s", err, &errs)
	}
}

// TestThreadsReaderGone: a reader that has seen enough, such as head, is no error.
func TestThreadsReaderGone(t *testing.T) {
	p := testenv.Workload(t, "idle")
	for _, args := range [][]string{{"-w", "1ms"}, {"-w", "1ms", "-o", "json"}} {
		cmd := process(append([]string{"threads", "-p", strconv.Itoa(p.PID)}, args...)...)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Fatalf("no output: %v, %s", err, &errs)
		}
		out.Close()
		if err := cmd.Wait(); err != nil || errs.Len() != 0 {
			t.Errorf("%q: %v: %s", args, err, &errs)
		}
	}
}

// TestThreadsWatchEnd: the watch ends with the process.
func TestThreadsWatchEnd(t *testing.T) {
	p := testenv.Workload(t, "idle")
	cmd := process("threads", "-p", strconv.Itoa(p.PID), "-w", "10ms", "--by", "function")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for again := false; !again && lines.Scan(); {
		again = strings.Contains(lines.Text(), "since the last read: 0 new, 0 ended")
	}
	go p.Stop()
	for lines.Scan() { // to the end
	}
	if err := lines.Err(); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(errs.String(), "has ended") {
		t.Errorf("%v: %s", err, &errs)
	}
}
