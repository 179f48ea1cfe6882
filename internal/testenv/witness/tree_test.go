package witness

import (
	"bufio"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

// A process of two programs, the second executed by a thread that does not lead, and a child. The id
// of that thread is another's then.
func TestAccountTree(t *testing.T) {
	const text = `
  go-10 [000] ..... 1.000001: task_newtask: pid=20 comm=go clone_flags=4100 oom_score_adj=0
  go-10 [000] ..... 1.000002: task_newtask: pid=11 comm=go clone_flags=50f00 oom_score_adj=0
  go-20 [001] ..... 1.000003: sched_process_exec: filename=/bin/a pid=20 old_pid=20
  a-20 [001] ..... 1.000004: task_newtask: pid=21 comm=a clone_flags=50f00 oom_score_adj=0
  a-20 [001] ..... 1.000005: task_newtask: pid=22 comm=a clone_flags=50f00 oom_score_adj=0
  a-99 [001] ..... 1.000006: task_newtask: pid=23 comm=a clone_flags=50f00 oom_score_adj=0
  a-22 [001] ..... 1.000007: sys_tgkill(tgid: 14, pid: 14, sig: 17)
  a-22 [001] ..... 1.000008: sys_tgkill(tgid: 14, pid: 14, sig: 6)
  a-22 [001] ..... 1.000009: sys_exit(error_code: 0)
  a-22 [001] ..... 1.000010: sched_process_exit: comm=a pid=22 prio=120
  a-20 [001] ..... 1.000011: sched_process_exit: comm=a pid=20 prio=120
  b-20 [001] ..... 1.000012: sched_process_exec: filename=/bin/b pid=20 old_pid=21
  c-21 [001] ..... 1.000012: task_newtask: pid=31 comm=c clone_flags=4100 oom_score_adj=0
  b-20 [001] ..... 1.000013: task_newtask: pid=22 comm=b clone_flags=50f00 oom_score_adj=0
  b-22 [001] ..... 1.000014: task_newtask: pid=30 comm=b clone_flags=1200000 oom_score_adj=0
  b-22 [001] ..... 1.000015: sched_process_exit: comm=b pid=22 prio=120
  b-20 [001] ..... 1.000016: sched_process_exit: comm=b pid=20 prio=120
`
	events, err := parseTrace(bufio.NewScanner(strings.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	const s = int64(time.Second)
	want := []*Process{
		{PID: 20, Parent: 10, Ended: true, Images: []Image{
			{Begin: s + 1000, End: s + 3000},
			{Exe: "/bin/a", By: 20, Begin: s + 3000, End: s + 12000, Created: 2, Births: []int64{s + 4000, s + 5000},
				Exited: 1, Killed: 1, SIGURGs: 1},
			{Exe: "/bin/b", By: 21, Begin: s + 12000, End: s + 16000, Created: 1, Births: []int64{s + 13000}, Killed: 2},
		}},
		{PID: 30, Parent: 20, living: 1, Images: []Image{{Begin: s + 14000}}},
	}
	checkTree(t, accountTree(events, 10, []int32{10}), want)
}

// The same tree as strace 6.1 prints it: a call that is interrupted by others' lines, one that failed,
// and an exec whose result appears under the leader's id.
func TestParseStrace(t *testing.T) {
	const text = `20 execve("/bin/a", ["a"], 0x7ffe83d546c8 /* 35 vars */) = 0
20    clone(child_stack=0x2, flags=CLONE_VM|CLONE_FS|CLONE_THREAD|CLONE_SETTLS, tls=0x2 <unfinished ...>
21    tgkill(20, 20, SIGURG <unfinished ...>
20    <... clone resumed>) = 21
21    <... tgkill resumed>) = 0
21    clone3({flags=CLONE_VM|CLONE_THREAD, exit_signal=0}, 88 <unfinished ...>
22    tgkill(20, 20, SIGABRT) = 0
21    <... clone3 resumed> => {parent_tid=[22]}, 88) = 22
22    exit(0)                           = ?
22    +++ exited with 0 +++
21    execve("/bin/no", ["no"], 0x1 /* 35 vars */) = -1 ENOENT (No such file or directory)
21    execve("/bin/b", ["b", "c=d"], 0x1 /* 35 vars */ <unfinished ...>
20    +++ superseded by execve in pid 21 +++
20    <... execve resumed>)             = 0
20    clone(child_stack=0x2, flags=CLONE_VM|CLONE_THREAD, tls=0x2) = ? ERESTARTNOINTR (To be restarted)
20    clone(child_stack=0x2, flags=CLONE_VM|CLONE_THREAD, tls=0x2) = 22
22    vfork( <unfinished ...>
30    exit_group(0)                     = ?
22    <... vfork resumed>)              = 30
30    +++ killed by SIGKILL (core dumped) +++
20    exit_group(0)                     = ?
22    +++ exited with 0 +++
20    +++ exited with 0 +++
`
	events, err := parseStrace(bufio.NewScanner(strings.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	want := []*Process{
		{PID: 20, Parent: straceRoot, Ended: true, Images: []Image{{},
			{Exe: "/bin/a", By: 20, Created: 2, Births: []int64{0, 0}, Exited: 1, Killed: 1, SIGURGs: 1},
			{Exe: "/bin/b", By: 21, Created: 1, Births: []int64{0}, Killed: 2},
		}},
		{PID: 30, Parent: 20, Ended: true, Images: []Image{{Killed: 1}}},
	}
	checkTree(t, accountTree(events, straceRoot, []int32{straceRoot}), want)
	if _, err := parseStrace(bufio.NewScanner(strings.NewReader("strace: no such process\n"))); err == nil {
		t.Error("a line of no thread passed")
	}
}

func checkTree(t *testing.T, got, want []*Process) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("missing: %+v", want[i])
		case i >= len(want):
			t.Errorf("surplus: %+v", got[i])
		case !reflect.DeepEqual(got[i], want[i]):
			t.Errorf("got  %+v\nwant %+v", got[i], want[i])
		}
	}
}

// Both witnesses follow a shell that forks, executes in a child and executes in its own place, and
// the threads of the test process, whichever makes the shell.
func TestTreeOfShell(t *testing.T) {
	testenv.Require(t, testenv.Tracefs, testenv.Strace, testenv.Shell)
	command := func() *exec.Cmd { return exec.Command("sh", "-c", "(exit 0); /bin/true; exec /bin/sleep 0.05") }
	tree := StartTree(t)
	if err := exec.Command("/bin/true").Run(); err != nil { // the first may make a child more (os, checkPidfd)
		t.Fatal(err)
	}
	cmd := command()
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	processes := tree.Stop()
	checkShell(t, int32(os.Getpid()), processes[len(processes)-3:])

	cmd = command()
	s := StartStrace(t, cmd)
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	checkShell(t, straceRoot, s.Processes())
	checkGone(t)
}

func checkShell(t *testing.T, maker int32, processes []*Process) {
	t.Helper()
	var got []string
	for _, p := range processes {
		line := ""
		for _, i := range p.Images {
			line += i.Program() + " "
		}
		got = append(got, line)
		if sum := p.Sum(); sum.Created+sum.Exited+sum.SIGURGs != 0 || sum.Killed != 1 || !p.Ended {
			t.Errorf("%+v", p)
		}
	}
	if want := []string{". sh sleep ", ". ", ". true "}; !reflect.DeepEqual(got, want) {
		t.Fatalf("programs %q, want %q", got, want)
	}
	if p := processes; p[0].Parent != maker || p[1].Parent != p[0].PID || p[2].Parent != p[0].PID {
		t.Errorf("makers: %+v %+v %+v", p[0], p[1], p[2])
	}
}
