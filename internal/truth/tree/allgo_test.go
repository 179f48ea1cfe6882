package tree

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// Every Go program of the machine: some run before, others come and go beside programs in C and shells.
// Each Go program has what its account has, and the others have no report.
func TestAllGo(t *testing.T) {
	pinwatch := build(t)
	testenv.Require(t, testenv.Shell, testenv.CCompiler)
	dir := t.TempDir()
	out, ready := filepath.Join(dir, "reports.ndjson"), filepath.Join(dir, "ready")
	var running []*testenv.Proc
	for range 20 {
		running = append(running, testenv.Workload(t, "churn", "-rate", "50", "-hold"))
	}
	cmd := exec.Command(pinwatch, "attach", "--all-go", "-o", "ndjson", "--out", out, "--ready-file", ready)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	t.Cleanup(func() {
		if !ended {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(ready); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not ready: %s", &stderr)
		}
	}
	for _, p := range running {
		p.Go()
	}
	o := &observed{reports: map[int][]report.Report{}, stdout: comeAndGo(t)}
	exited := map[int]uint64{}
	for _, p := range running {
		exited[p.PID] = p.Stop().LockedExits
	}
	time.Sleep(100 * time.Millisecond) // their last records
	_ = cmd.Process.Signal(unix.SIGINT)
	err := cmd.Wait()
	if ended = true; err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	o.read(t, out)
	for _, a := range o.accounts(t) {
		if exited[a.PID] = uint64(a.Exited); a.Program != "leaf" { // of C
			delete(exited, a.PID)
			if len(o.reports[a.PID]) > 0 {
				t.Errorf("a report of %+v", a)
			}
		}
	}
	if len(exited) < 60 {
		t.Errorf("%d programs", len(exited))
	}
	lossy := 0
	for pid, n := range exited {
		rs := o.reports[pid]
		if len(rs) != 1 {
			t.Errorf("process %d: %d reports, its account has %d exits", pid, len(rs), n)
			continue
		}
		r := &rs[0]
		if r.Lossy() {
			lossy++
		}
		if c := r.Counts; c.ThreadsExited > n || c.ThreadsExited < n && r.Loss.Total == 0 {
			t.Errorf("process %d: %d threads exited, its account has %d; lost %d %v", pid, c.ThreadsExited, n, r.Loss.Total,
				r.Loss.ByKind)
		}
	}
	t.Logf("%d programs, %d lossy, %d reports; %s", len(exited), lossy, o.number, strings.TrimSpace(stderr.String()))
}

// comeAndGo runs Go programs, programs in C and shells, several at once, and returns the accounts of the Go
// programs.
func comeAndGo(t *testing.T) (accounts []byte) {
	t.Helper()
	forks := testenv.CProgram(t, filepath.Join("..", "..", "workload", "cmd", "tree", "testdata", "forks.c"))
	program := testenv.TreeProgram(t)
	var mu sync.Mutex
	var all sync.WaitGroup
	slots := make(chan struct{}, 6)
	for range 10 {
		for _, command := range [][]string{
			{program, "leaf", "-threads", "3", "-live", "50ms"},
			{forks, program, "leaf", "-threads", "2", "-live", "30ms"},
			{"sh", "-c", `sleep 0.01; /bin/true; "$0" leaf -threads 2 -live 30ms; true`, program},
		} {
			all.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				out, err := exec.Command(command[0], command[1:]...).Output()
				if err != nil {
					t.Errorf("%q: %v", command, err)
				}
				mu.Lock()
				defer mu.Unlock()
				accounts = append(accounts, out...)
			})
		}
	}
	all.Wait()
	return accounts
}
