package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

// With --sites pinwatch knows every call of LockOSThread: where, how often, and for how long; in a stripped program, too.
func TestSitesAreTheWorkloads(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	t.Run("perrequest", func(t *testing.T) {
		w := watch{workload: []string{"perrequest"}, args: []string{"--sites"}, work: 1500 * time.Millisecond}.run(t)
		w.checkSites(t, w.account.Ops)
		site := w.report.Sites[0]
		least, most := site.HeldMeanMin, site.HeldMeanMax
		if least == nil || most == nil || *least > *most || *most < float64(time.Millisecond) {
			t.Errorf("held for %s to %s ns, but for a sleep of 1 ms", word(least), word(most))
		}
		if p := w.report.Observer.Probe; p == nil || p.Hits != site.Calls || p.HitNS == nil || *p.HitNS <= 0 {
			t.Errorf("the probe's cost: %+v", p)
		}
		named := false
		for _, f := range w.report.Findings {
			where, _ := f.Evidence["site"].(string)
			named = named || f.ID == "per-request-pinning" && strings.Contains(where, "(*Workload).handle (perrequest.go:"+strconv.Itoa(site.Line)+")")
		}
		if !named && w.account.Ops > 100 {
			t.Errorf("no finding names the site: %+v", w.report.Findings)
		}
	})
	t.Run("churn", func(t *testing.T) {
		w := watch{workload: []string{"churn"}, args: []string{"--sites"}, work: time.Second}.run(t)
		w.checkSites(t, w.account.Sites[0].Pins)
		var n uint64
		for _, c := range w.report.Causes {
			if c.What == "exit" && c.Cause == "locked" && is(c.Function, w.account.Sites[0].Function) {
				n += c.N
			}
		}
		if n != w.account.LockedExits {
			t.Errorf("%d exits of %s, want %d: %+v", n, w.account.Sites[0].Function, w.account.LockedExits, w.report.Causes)
		}
		for _, f := range w.report.Findings {
			if f.ID == "exit-while-locked-churn" && f.Evidence["function"] != w.account.Sites[0].Function {
				t.Errorf("the finding names %v", f.Evidence["function"])
			}
		}
	})
	t.Run("stripped dance", func(t *testing.T) {
		program := buildWorkload(t, "-ldflags=-s -w")
		if program == "" {
			return
		}
		t.Setenv("PINWATCH_WORKLOAD", program)
		w := watch{workload: []string{"dance"}, args: []string{"--sites"}, work: time.Second}.run(t)
		if !is(w.report.Target.Stripped, true) || !is(w.report.Target.Offsets, "table") {
			t.Errorf("target %+v", w.report.Target)
		}
		w.checkSites(t, w.account.Ops) // of nested calls, the first is the outer one
	})
}

// checkSites compares the sites with the account's, all of which were called in the window and let go in it, as far as the thread
// lived on.
func (w *watched) checkSites(t *testing.T, outer uint64) {
	t.Helper()
	r, a := &w.report, &w.account
	if len(r.Sites) != len(a.Sites) || len(a.Sites) != 1 {
		t.Fatalf("sites %+v, want %+v", r.Sites, a.Sites)
	}
	got, want := r.Sites[0], a.Sites[0]
	if got.Function != want.Function || got.File != want.File || got.Line != want.Line || got.Calls != want.Pins || got.Outer != outer {
		t.Errorf("site %+v, want %+v, %d of them outer", got, want, outer)
	}
	if got.Released+got.Held != got.Outer || a.LockedExits == 0 && got.Held != 0 {
		t.Errorf("of %d locks %d were let go and %d not", got.Outer, got.Released, got.Held)
	}
	if k := knownShare(r.Locks); k < minKnown {
		t.Errorf("%.2f %% of %d lock observations are known", 100*k, r.Locks.Observations)
	}
}

// buildWorkload builds the workload command with flags of go build; "" where there is no go command, as in the guests of the kernel
// matrix.
func buildWorkload(t *testing.T, flags ...string) string {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Log("no go command in this guest: nothing to build by")
		return ""
	}
	return goBuild(t, ".", append(flags, "github.com/pinwatch/pinwatch/internal/workload/cmd/workload")...)
}

func goBuild(t *testing.T, dir string, args ...string) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "program")
	build := exec.Command("go", append([]string{"build", "-o", program}, args...)...)
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// A program that never calls LockOSThread has no such function to put a breakpoint on.
func TestSitesWithoutLocks(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	if _, err := exec.LookPath("go"); err != nil {
		t.Log("no go command in this guest: nothing to build by")
		return
	}
	source := filepath.Join(t.TempDir(), "main.go")
	text := "package main\n\nimport \"syscall\"\n\nfunc main() { syscall.Read(0, make([]byte, 1)) }\n"
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(goBuild(t, filepath.Dir(source), "main.go"))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stdin.Close(); _ = cmd.Wait() })
	pid := strconv.Itoa(cmd.Process.Pid)
	wrong(t, exitError, []string{"--sites", "never calls runtime.LockOSThread"}, "attach", "-p", pid, "-d", "1s", "--sites")
}
