package tree

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/testenv/witness"
)

// Many short processes: each is complete, or its report has what it lost.
func TestShortLives(t *testing.T) {
	pinwatch := build(t)
	n, atOnce := 60, 8
	if *many {
		n, atOnce = 1000, 50
	}
	begun := time.Now()
	o := run(t, pinwatch, ".", testenv.TreeProgram(t), "fan", "-n", strconv.Itoa(n), "-at-once", strconv.Itoa(atOnce),
		"--", "-threads", "2", "-live", "20ms")
	t.Logf("%v in %v", o, time.Since(begun))
	if compared := o.compare(t, ofTree); compared != n+1 || len(o.accounts(t)) != n+1 {
		t.Errorf("%d compared, %d accounts", compared, len(o.accounts(t)))
	}
	if !*many { // else a report may have lost something, and compare has judged it
		o.lossless(t)
		o.checkAccounts(t)
	}
}

// Processes of 3 ms, most of which end before anybody opens their executable. Once it is known each is
// described, and its locks are read from its first instruction on.
func TestKnownProgram(t *testing.T) {
	pinwatch := build(t)
	const n = 100
	o := run(t, pinwatch, ".", testenv.TreeProgram(t), "fan", "-n", strconv.Itoa(n), "-at-once", "1",
		"--", "-threads", "2", "-live", "3ms")
	if compared := o.compare(t, ofTree); compared != n+1 {
		t.Errorf("%d compared", compared)
	}
	o.lossless(t)
	o.checkAccounts(t) // where locks are known, all of them are
	known, described := 0, 0
	for _, reports := range o.reports {
		for _, r := range reports {
			if r.Target.GoVersion != nil {
				described++
			}
			if r.Counts.ThreadsExitedLocked != nil {
				known++
			}
		}
	}
	t.Logf("%d of %d processes are described, the locks of %d are known", described, n+1, known)
	if described != n+1 || known < n/2 { // reading the first one takes some time
		t.Errorf("%d of %d processes are described, the locks of %d are known", described, n+1, known)
	}
}

// A process that executes programs has a report of each, whichever thread does it, and no report of
// the shell between them.
func TestChain(t *testing.T) {
	pinwatch := build(t)
	o := run(t, pinwatch, ".", testenv.TreeProgram(t), "chain", "thread", "leader", "shell", "thread", "--", "-threads", "2")
	if compared := o.compare(t, ofTree); compared != 6 {
		t.Errorf("%d compared", compared)
	}
	o.lossless(t)
	o.checkAccounts(t)
}

// A C host forks without exec, forks, vforks and spawns. Only what executes Go is a target.
func TestForks(t *testing.T) {
	pinwatch := build(t)
	forks := testenv.CProgram(t, filepath.Join("..", "..", "workload", "cmd", "tree", "testdata", "forks.c"))
	o := run(t, pinwatch, ".", forks, testenv.TreeProgram(t), "leaf", "-threads", "3")
	if compared := o.compare(t, ofTree); compared != 3 {
		t.Errorf("%d compared", compared)
	}
	o.lossless(t)
}

// A shell starts programs by a pipe, in the background and in its own place.
func TestShell(t *testing.T) {
	pinwatch := build(t)
	script := `"$0" leaf -threads 1 & "$0" leaf -threads 2 | cat; wait; exec "$0" leaf -threads 4`
	o := run(t, pinwatch, ".", "sh", "-c", script, testenv.TreeProgram(t))
	if compared := o.compare(t, ofTree); compared != 3 {
		t.Errorf("%d compared", compared)
	}
	o.lossless(t)
	o.checkAccounts(t)
}

// Children that run as another user.
func TestOtherUser(t *testing.T) {
	pinwatch := build(t)
	o := run(t, pinwatch, ".", testenv.TreeProgram(t), "fan", "-n", "5", "-uid", "65534", "--", "-threads", "3")
	if compared := o.compare(t, ofTree); compared != 6 {
		t.Errorf("%d compared", compared)
	}
	o.lossless(t)
	o.checkAccounts(t)
}

// A process that pinwatch attaches to, and what it starts from then on.
func TestAttachFollows(t *testing.T) {
	pinwatch := build(t)
	program, dir := testenv.TreeProgram(t), t.TempDir()
	host := exec.Command("sh", "-c", `read line; "$0" leaf -threads 3; "$0" fan -n 4 -- -threads 1`, program)
	stdin, err := host.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	tree := witness.StartTree(t)
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Process.Kill(); _ = host.Wait() })
	out, ready := filepath.Join(dir, "reports.ndjson"), filepath.Join(dir, "ready")
	cmd := exec.Command(pinwatch, "attach", "-p", strconv.Itoa(host.Process.Pid), "--follow", "-o", "ndjson", "--out", out,
		"--ready-file", ready)
	o := observe(t, cmd, out, func() {
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if _, err := os.Stat(ready); err == nil {
				break
			}
			if time.Now().After(deadline) {
				_ = cmd.Process.Kill()
				return
			}
		}
		if _, err := io.WriteString(stdin, "go\n"); err != nil {
			t.Error(err)
		}
	})
	o.processes = tree.Stop()
	delete(o.reports, host.Process.Pid) // the shell, of which the window is only a part
	if compared := o.compare(t, ofTree); compared != 6 {
		t.Errorf("%d compared", compared)
	}
	o.lossless(t)
}
