package observe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/loader"
)

// sleeper starts a process that does nothing. A guest of the matrix has no command sleep.
func sleeper(t *testing.T) (pid int, signal func(unix.Signal)) {
	t.Helper()
	pid = testenv.Workload(t, "idle").PID
	return pid, func(s unix.Signal) {
		t.Helper()
		if err := unix.Kill(pid, s); err != nil {
			t.Fatal(err)
		}
	}
}

// await waits until a process is stopped, or is not.
func await(t *testing.T, pid int, want bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); stopped(pid) != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("stopped: %t, want %t", !want, want)
		}
	}
}

// TestPauses follows a process that is stopped and continued.
func TestPauses(t *testing.T) {
	pid, signal := sleeper(t)
	p := &pauses{pid: pid}
	now := events.Time(0)
	clock := func() events.Time { now++; return now }
	var got []string
	read := func() {
		t.Helper()
		err := p.readNow(clock, func(e *events.Event) { got = append(got, string(e.AppendText(nil))) })
		if err != nil {
			t.Fatal(err)
		}
	}
	read() // 1: it may run
	signal(unix.SIGSTOP)
	await(t, pid, true)
	read() // 2
	read() // 3
	signal(unix.SIGCONT)
	await(t, pid, false)
	read() // 4; the event comes after the read
	read() // 6
	want := []string{"2 paused flags=stopped not_before=1", "3 paused flags=stopped not_before=1", "5 paused"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if stopped(1 << 30) {
		t.Error("a process that does not exist is stopped")
	}
	if err := (*pauses)(nil).read(clock, nil); err != nil {
		t.Error(err)
	}
}

// TestTraced: a tracer that has stopped all threads has stopped the process.
func TestTraced(t *testing.T) {
	runtime.LockOSThread() // only the thread that starts the process may continue it
	defer runtime.UnlockOSThread()
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true} // it stops at its exec
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	await(t, cmd.Process.Pid, true)
	if stopped(os.Getpid()) {
		t.Error("this process is stopped")
	}
	own, err := procfs.Self.Stat()
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("by process %d (%s): its signals", os.Getpid(), own.Name)
	if got := strings.Join(Conditions(cmd.Process.Pid), "; "); !strings.Contains(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestThrottledCPUs(t *testing.T) {
	lists := [][]loader.ThrottledCPU{nil, {{CPU: 2, Time: 20, Until: 90}, {CPU: 0, Time: 21, Until: 90}},
		{{CPU: 2, Time: 30, Until: 90}}, {{CPU: 0, Time: 40, Until: 90}}}
	moments := []uint64{10, 22, 31, 41}
	p := &pauses{throttled: func() (cpus []loader.ThrottledCPU, moment uint64, err error) {
		if len(lists) == 0 {
			return nil, 0, os.ErrClosed
		}
		cpus, moment = lists[0], moments[0]
		lists, moments = lists[1:], moments[1:]
		return cpus, moment, nil
	}}
	var got []string
	push := func(e *events.Event) { got = append(got, string(e.AppendText(nil))) }
	for range 4 {
		if err := p.readThrottled(push); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"20 throttled cpu=2 until=90", "21 throttled until=90", "30 throttled cpu=2 until=90",
		"40 throttled not_before=31 until=90"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if err := p.readThrottled(push); !errors.Is(err, os.ErrClosed) {
		t.Errorf("%v, want the iterator's error", err)
	}
}

func TestQuotaUse(t *testing.T) {
	quota := func(group string, limit time.Duration, n uint64) procfs.Quota {
		return procfs.Quota{Group: group, Limit: limit, Period: 100, Periods: n, Throttled: n, Time: time.Duration(n)}
	}
	of := func(quotas ...procfs.Quota) edge { return edge{quotas: quotas} }
	refused := edge{quotasErr: fs.ErrPermission}
	for name, c := range map[string]struct {
		first, last edge
		want        string // the group, or a part of the error
		n           uint64
	}{
		"none": {of(), of(), "", 0},
		"one":  {of(quota("/a", 20, 5)), of(quota("/a", 20, 9)), "/a", 4},
		"the tightest": {of(quota("/a/b", 20, 5), quota("/a", 10, 6)), of(quota("/a/b", 20, 9), quota("/a", 10, 7)),
			"/a", 1},
		"taken away":            {of(quota("/a", 20, 5)), of(), "", 0},
		"not to be read":        {refused, of(quota("/a", 20, 9)), "permission denied", 0},
		"not to be read later":  {of(), refused, "permission denied", 0},
		"moved":                 {of(quota("/b", 20, 5)), of(quota("/a", 20, 9)), "another cgroup", 0},
		"set in this window":    {of(), of(quota("/a", 20, 9)), "another cgroup", 0},
		"a new one of its name": {of(quota("/a", 20, 5)), of(quota("/a", 20, 2)), "another cgroup", 0},
	} {
		use, err := quotaUse(c.first, c.last)
		switch {
		case err != nil:
			if use != nil || c.want == "" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %+v, %v, want %q", name, use, err, c.want)
			}
		case use == nil:
			if c.want != "" {
				t.Errorf("%s: nothing, want %s", name, c.want)
			}
		case use.Group != c.want || use.Throttled != c.n || use.Periods != c.n || use.Time != time.Duration(c.n):
			t.Errorf("%s: %+v, want %d of %s", name, use, c.n, c.want)
		}
	}
}

func TestReadAttributes(t *testing.T) {
	pid, _ := sleeper(t)
	a := ReadAttributes(pid, []int32{int32(pid), 1 << 30})
	c := a.Compared()
	if len(a.ByTID) != 1 || a.Unread != 0 || len(c.Names) != int(procfs.AttributeCount) ||
		len(c.ByTID[int32(pid)]) != len(c.Names) {
		t.Errorf("%+v, %+v", a, c)
	}
	many := make([]int32, mostAttributes+3)
	if a := ReadAttributes(1<<30, many); a.Unread != 3 || len(a.ByTID) != 0 || len(a.Warnings()) != 1 ||
		!strings.Contains(a.Warnings()[0], "3 threads were not compared") {
		t.Errorf("%d unread, %d read, %q", a.Unread, len(a.ByTID), a.Warnings())
	}
}

// TestLastEdge: a window that ended with its target, before that was noticed, has the edge that was
// read then.
func TestLastEdge(t *testing.T) {
	o := &observation{edges: map[events.Time]edge{10: {cpuset: "0"}}, newest: edge{cpuset: "1"}}
	for end, want := range map[events.Time]string{10: "0", 9: "1"} {
		if got := o.lastEdge(&correlate.Result{End: end}).cpuset; got != want {
			t.Errorf("at %d: %s, want %s", end, got, want)
		}
	}
}

// TestStopsBetween: without two readings there is no account, which is not one of no stops.
func TestStopsBetween(t *testing.T) {
	read, again := &goruntime.Stopping{At: time.Unix(1, 0)}, &goruntime.Stopping{At: time.Unix(2, 0)}
	for name, tt := range map[string]struct {
		first, last edge
		known       bool
	}{
		"both":             {edge{stopping: read}, edge{stopping: again}, true},
		"the same reading": {edge{stopping: read}, edge{stopping: read}, false},
		"no end":           {edge{stopping: read}, edge{}, false},
		"no begin":         {edge{}, edge{stopping: again}, false},
		"ended":            {edge{stopping: read}, edge{stoppingErr: os.ErrProcessDone}, false},
		"refused":          {edge{stoppingErr: fs.ErrPermission}, edge{stopping: again}, false},
	} {
		stops, err := stopsBetween(tt.first, tt.last)
		if (stops != nil) != tt.known || (err == nil) != tt.known {
			t.Errorf("%s: %+v, %v", name, stops, err)
		}
	}
}
