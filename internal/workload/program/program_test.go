package program_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// childEnv makes the test binary a workload: every one of them wants a process of its own.
const childEnv = "PINWATCH_TEST_WORKLOAD_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// command is the test binary as a workload.
func command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Args[0] = "workload"
	// Children are many, and by default each sleeps a second before it leaves. A race fails it all the same.
	cmd.Env = append(os.Environ(), childEnv+"=1", "GORACE=atexit_sleep_ms=0")
	return cmd
}

// child is a running workload.
type child struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	out    *bufio.Reader
	stderr strings.Builder
	ready  workload.Ready
}

func start(t *testing.T, args ...string) *child {
	t.Helper()
	c := &child{t: t, cmd: command(args...)}
	c.cmd.Stderr = &c.stderr
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewReader(stdout)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.cmd.Process.Kill()
		c.cmd.Wait()
	})
	c.read(&c.ready)
	if want := (workload.Ready{Ready: true, PID: c.cmd.Process.Pid, Name: args[0]}); c.ready != want {
		t.Fatalf("first line is %+v, want %+v", c.ready, want)
	}
	return c
}

func (c *child) tell(command string) {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.stdin, command); err != nil {
		c.t.Fatalf("tell %s: %v", command, err)
	}
}

func (c *child) read(v any) {
	c.t.Helper()
	line, err := c.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, v)
	}
	if err != nil {
		c.t.Fatalf("read a line of %T: %v; stderr: %s", v, err, c.stderr.String())
	}
}

// end reads the last account and what follows it, which must be nothing and a clean exit.
func (c *child) end() workload.Account {
	c.t.Helper()
	var a workload.Account
	c.read(&a)
	if rest, err := io.ReadAll(c.out); err != nil || len(rest) > 0 {
		c.t.Errorf("after the last account: %q, %v", rest, err)
	}
	if err := c.cmd.Wait(); err != nil {
		c.t.Errorf("exit: %v; stderr: %s", err, c.stderr.String())
	}
	return a
}

// tasks lists the threads of the child as the kernel has them.
func (c *child) tasks() []int {
	c.t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", c.ready.PID))
	if err != nil {
		c.t.Fatal(err)
	}
	var ids []int
	for _, e := range entries {
		id, err := strconv.Atoi(e.Name())
		if err != nil {
			c.t.Fatal(err)
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// slept is how often the kernel saw the thread give up its CPU by itself.
func (c *child) slept(tid int) uint64 {
	c.t.Helper()
	n, err := strconv.ParseUint(taskStatus(c.t, c.ready.PID, tid, "voluntary_ctxt_switches"), 10, 64)
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

// taskStatus is a line of what the kernel says of a thread.
func taskStatus(t *testing.T, pid, tid int, key string) string {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/status", pid, tid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(status), "\n"+key+":")
	if !ok {
		t.Fatalf("the kernel says no %s of thread %d", key, tid)
	}
	line, _, _ := strings.Cut(after, "\n")
	return strings.TrimSpace(line)
}

// TestAccountsAddUp runs every workload for 300 ms and holds its account against the kernel's view and against itself.
func TestAccountsAddUp(t *testing.T) {
	checks := map[string]struct {
		args  []string
		check func(*testing.T, workload.Account)
	}{
		"demo": {nil, func(t *testing.T, a workload.Account) {
			checkPairs(t, a, 2)
			if len(a.Pins) != 5 || a.LockedExits < 5 || a.ForcedGC < 2 {
				t.Errorf("%d pins, %d locked exits, %d collections: want 5, 5 or more, 2 or more", len(a.Pins), a.LockedExits, a.ForcedGC)
			}
		}},
		"churn": {[]string{"-rate", "200"}, func(t *testing.T, a workload.Account) {
			if a.LockedExits < 5 || a.LockedExits != a.Ops {
				t.Errorf("%d locked exits in %d operations", a.LockedExits, a.Ops)
			}
			if most := uint64(a.End-a.Start)*200/1e9 + 1; a.LockedExits > most {
				t.Errorf("%d locked exits; the rate allows %d", a.LockedExits, most)
			}
		}},
		"pingpong": {[]string{"-pairs", "2"}, func(t *testing.T, a workload.Account) {
			checkPairs(t, a, 2)
			checkOps(t, a, "ping", 2)
		}},
		"spinners": {[]string{"-n", "1"}, func(t *testing.T, a workload.Account) {
			checkOps(t, a, "spin", 1)
			if a.ForcedGC == 0 {
				t.Error("no collection")
			}
		}},
		"threads": {[]string{"-n", "64"}, func(t *testing.T, a workload.Account) {
			checkOps(t, a, "turn", 64)
			if a.Handoffs != a.Ops {
				t.Errorf("%d hand-offs in %d turns", a.Handoffs, a.Ops)
			}
		}},
		"blocked": {[]string{"-pace", "20ms"}, func(t *testing.T, a workload.Account) { checkOps(t, a, "read", 8) }},
		"burst": {nil, func(t *testing.T, a workload.Account) {
			if a.LockedExits == 0 || a.LockedExits%32 != 0 || a.LockedExits != a.Ops {
				t.Errorf("%d locked exits in %d operations: want whole bursts of 32", a.LockedExits, a.Ops)
			}
		}},
		"leak": {[]string{"-n", "2"}, func(t *testing.T, a workload.Account) {
			if roles(a) != "wait wait" || a.Ops != 0 {
				t.Errorf("pins %q, %d operations: want two that nobody wakes", roles(a), a.Ops)
			}
		}},
		"wedged": {nil, func(t *testing.T, a workload.Account) {
			if a.WedgedTID != a.PID || len(a.Pins) != 0 || a.LockedExits != 0 || a.Ops == 0 {
				t.Errorf("wedged %d, %d pins, %d locked exits, %d operations: want the main thread wedged and life going on",
					a.WedgedTID, len(a.Pins), a.LockedExits, a.Ops)
			}
			if state := taskStatus(t, a.PID, a.PID, "State"); !strings.HasPrefix(state, "S") {
				t.Errorf("the main thread is in state %s, want asleep", state)
			}
		}},
		"perrequest": {nil, func(t *testing.T, a workload.Account) {
			if len(a.Pins) != 0 || a.Ops < 5 {
				t.Errorf("%d pins, %d operations: want none and some", len(a.Pins), a.Ops)
			}
			checkSite(t, a, "(*Workload).handle", a.Ops)
		}},
		"storm": {nil, func(t *testing.T, a workload.Account) {
			if a.Stops == 0 || a.Ops < a.Stops || len(a.Pins) != 0 {
				t.Errorf("%d stops of the world, %d operations, %d pins", a.Stops, a.Ops, len(a.Pins))
			}
		}},
		"sharedcore": {nil, func(t *testing.T, a workload.Account) {
			if len(a.Pins) != 1 || len(a.Pins[0].CPUs) != 1 || a.Ops == 0 {
				t.Fatalf("pins %+v, %d operations: want one pin on one CPU", a.Pins, a.Ops)
			}
			cpu := strconv.Itoa(a.Pins[0].CPUs[0])
			for _, tid := range a.Threads {
				list := taskStatus(t, a.PID, tid, "Cpus_allowed_list")
				if pinned := tid == a.Pins[0].TID; (list == cpu) != pinned {
					t.Errorf("thread %d may run on %s; pinned to %s: %t", tid, list, cpu, pinned)
				}
			}
		}},
		"surplus": {[]string{"-n", "10"}, func(t *testing.T, a workload.Account) {
			if len(a.Threads) <= 10 || a.Ops != 10 || len(a.Pins) != 0 {
				t.Errorf("%d threads, %d operations, %d pins: want a thread for each of 10 operations", len(a.Threads), a.Ops, len(a.Pins))
			}
		}},
		"depth": {nil, func(t *testing.T, a workload.Account) {
			checkOps(t, a, "depth", 5)
			checkLocks(t, a, 5, maxDepth)
		}},
		"dance": {nil, func(t *testing.T, a workload.Account) {
			checkLocks(t, a, a.Ops, 3)
			var deep uint64
			for _, l := range a.Locks {
				deep += uint64(l.Depth)
			}
			checkSite(t, a, "(*Workload).dancer", deep)
		}},
		"matrix": {nil, func(t *testing.T, a workload.Account) {
			checkPairs(t, a, 1)
			if roles(a) != "ping pong spin wait wait wait wait wait" || a.LockedExits == 0 {
				t.Errorf("pins %q, %d locked exits", roles(a), a.LockedExits)
			}
			checkSite(t, a, "(*Workload).exitLocked", a.LockedExits)
		}},
		"idle": {nil, func(t *testing.T, a workload.Account) {
			if a.Ops != 0 || a.LockedExits != 0 || len(a.Pins) != 0 {
				t.Errorf("did something: %+v", a)
			}
		}},
	}
	for _, info := range Names() {
		c, ok := checks[info.Name]
		if !ok {
			t.Errorf("no check for workload %s", info.Name)
			continue
		}
		t.Run(info.Name, func(t *testing.T) {
			needCPUs(t, info.Name)
			before := probe.Now()
			p := start(t, append([]string{info.Name, "-hold"}, c.args...)...)
			p.tell("go")
			time.Sleep(300 * time.Millisecond) // the length of the run; nothing waits for anything here
			p.tell("quiesce")
			var a workload.Account
			p.read(&a)
			checkAccount(t, p, a, before)
			c.check(t, a)

			p.tell("stop")
			last := p.end()
			last.Threads, a.Threads = nil, nil // the runtime may start one at any time
			if !reflect.DeepEqual(last, a) {
				t.Errorf("the last account differs from the one at rest:\n%+v\n%+v", last, a)
			}
		})
	}
}

// checkAccount checks what holds for every workload at rest.
func checkAccount(t *testing.T, p *child, a workload.Account, before int64) {
	t.Helper()
	if a.Name != p.ready.Name || a.PID != p.ready.PID || a.GoVersion != runtime.Version() || a.GoMaxProcs < 1 {
		t.Errorf("account of somebody else: %+v", a)
	}
	if a.Start <= before || a.End-a.Start < 250e6 || a.End > probe.Now() {
		t.Errorf("window [%d, %d): want some 300 ms of [%d, %d)", a.Start, a.End, before, probe.Now())
	}
	tasks, again := p.tasks(), a
	for i := 0; i < 10 && !slices.Equal(again.Threads, tasks); i++ { // the runtime may have started one since
		p.tell("quiesce")
		again = workload.Account{}
		p.read(&again)
		tasks = p.tasks()
	}
	if !slices.Equal(again.Threads, tasks) {
		t.Errorf("threads %v, the kernel has %v", again.Threads, tasks)
	}
	goroutines := map[int64]bool{}
	for i, pin := range a.Pins {
		if !slices.Contains(a.Threads, pin.TID) || pin.Depth < 1 || pin.GoID <= 0 || goroutines[pin.GoID] {
			t.Errorf("pin %+v: no such thread, not locked or a goroutine met before", pin)
		}
		if !strings.HasPrefix(pin.Entry, "github.com/pinwatch/pinwatch/internal/workload.(*Workload).") {
			t.Errorf("pin %+v: its goroutine began in %q", pin, pin.Entry)
		}
		if i > 0 && a.Pins[i-1].TID >= pin.TID {
			t.Errorf("pins are not in the order of their threads or share one: %+v", a.Pins)
		}
		goroutines[pin.GoID] = true
		// A wake-up that is faster than the sleep costs no switch, so not every operation shows.
		if pin.Role != "spin" && p.slept(pin.TID) < pin.Ops/2 {
			t.Errorf("thread %d slept %d times in %d operations of role %s", pin.TID, p.slept(pin.TID), pin.Ops, pin.Role)
		}
	}
	if uint64(len(a.LockedExitTIDs)) != min(a.LockedExits, maxKept) {
		t.Errorf("%d ids of %d threads that exited", len(a.LockedExitTIDs), a.LockedExits)
	}
	for _, tid := range a.LockedExitTIDs {
		if tid == a.PID || slices.Contains(a.Threads, tid) {
			t.Errorf("thread %d exited and lives", tid)
		}
	}
	if a.GCs < a.ForcedGC {
		t.Errorf("%d collections, %d of them forced", a.GCs, a.ForcedGC)
	}
}

// checkOps wants n pins of the role, each of which did something, and no operation that is not theirs.
func checkOps(t *testing.T, a workload.Account, role string, n int) {
	t.Helper()
	var ops uint64
	for _, pin := range a.Pins {
		if pin.Role != role {
			continue
		}
		n--
		ops += pin.Ops
		if pin.Ops == 0 {
			t.Errorf("pin %+v did nothing", pin)
		}
	}
	if n != 0 || ops != a.Ops {
		t.Errorf("%d pins of role %s missing; theirs are %d of %d operations", n, role, ops, a.Ops)
	}
}

// checkPairs wants pairs of pins that did as much on one side as on the other.
func checkPairs(t *testing.T, a workload.Account, pairs int) {
	t.Helper()
	var n, ops [2]uint64
	for _, pin := range a.Pins {
		if i := slices.Index([]string{"ping", "pong"}, pin.Role); i >= 0 {
			n[i]++
			ops[i] += pin.Ops
		}
	}
	if n != [2]uint64{uint64(pairs), uint64(pairs)} || ops[0] == 0 || ops[0] != ops[1] || ops[0]+ops[1] != a.Handoffs {
		t.Errorf("%v pins did %v round trips, %d hand-offs", n, ops, a.Handoffs)
	}
}

func TestHeldWorkloadDoesNothing(t *testing.T) {
	for _, info := range Names() {
		t.Run(info.Name, func(t *testing.T) {
			needCPUs(t, info.Name)
			p := start(t, info.Name, "-hold")
			p.tell("stop")
			if a := p.end(); a.Start != 0 || a.End != 0 || a.Ops != 0 || a.Handoffs != 0 || a.LockedExits != 0 || a.ForcedGC != 0 ||
				a.Stops != 0 || a.WedgedTID != 0 || len(a.Sites) != 0 {
				t.Errorf("did something before it was told to: %+v", a)
			}
		})
	}
}

func TestEndsByItself(t *testing.T) {
	t.Run("when its time is up", func(t *testing.T) {
		p := start(t, "churn", "-d", "50ms")
		if a := p.end(); a.End-a.Start < 50e6 || a.LockedExits == 0 {
			t.Errorf("ran %d ns, %d locked exits", a.End-a.Start, a.LockedExits)
		}
	})
	t.Run("when stdin ends", func(t *testing.T) {
		p := start(t, "idle")
		p.stdin.Close()
		if a := p.end(); a.Start == 0 || a.End < a.Start {
			t.Errorf("window [%d, %d)", a.Start, a.End)
		}
	})
}

func TestUnknownCommandChangesNothing(t *testing.T) {
	p := start(t, "idle")
	p.tell("dance")
	p.tell("step")
	p.tell("stop")
	p.end()
	if got := p.stderr.String(); !strings.Contains(got, `unknown command "dance"`) || !strings.Contains(got, "idle has no step") {
		t.Errorf("stderr: %q", got)
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"", 2, "usage: workload NAME"},
		{"nonesuch", 2, `no workload "nonesuch"`},
		{"churn -h", 0, "threads to end a second"},
		{"churn -bogus", 2, "-bogus"},
		{"churn -rate 0", 2, "-rate must be above 0"},
		{"churn -rate NaN", 2, "-rate must be above 0"},
		{"demo -rate -1", 2, "-rate must be above 0"},
		{"pingpong -pairs 0", 2, "-pairs and -batch"},
		{"spinners -gc 0", 2, "-gc more than 0"},
		{"threads -tokens 0", 2, "-n and -tokens"},
		{"blocked -pace 0", 2, "-pace more than 0"},
		{"burst -n 0", 2, "-n must be 1 or more"},
		{"leak -n 0", 2, "-n must be 1 or more"},
		{"perrequest -rate 0", 2, "-rate must be above 0"},
		{"storm -every -1s", 2, "-every must not be negative"},
		{"surplus -n -1", 2, "-n must not be negative"},
		{"depth -pace 0", 2, "-pace must be more than 0"},
		{"dance -held 0", 2, "-held more than 0"},
		{"idle -d -1s", 2, "must not be negative"},
		{"idle now", 2, "takes no arguments"},
	} {
		var out, errs strings.Builder
		code := Main(strings.Fields(c.args), strings.NewReader(""), &out, &errs)
		if code != c.code || !strings.Contains(errs.String(), c.want) || out.String() != "" {
			t.Errorf("%q: exit %d, stdout %q, stderr %q; want exit %d and %q", c.args, code, &out, &errs, c.code, c.want)
		}
	}
}

func TestClosedStdout(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	var errs strings.Builder
	if code := Main([]string{"idle"}, strings.NewReader(""), w, &errs); code != 1 || !strings.Contains(errs.String(), "print the ready line") {
		t.Errorf("exit %d, stderr %q", code, &errs)
	}
}
