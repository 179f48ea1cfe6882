package truth

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// TestSitesAreTheWorkloads compares the call sites of LockOSThread with the account: where, how
// often, and for how long; in a stripped program, too.
func TestSitesAreTheWorkloads(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	t.Run("perrequest", func(t *testing.T) {
		w := watch{workload: []string{"perrequest"}, config: observe.Config{Sites: true},
			work: 1500 * time.Millisecond}.run(t)
		w.checkSites(t, w.account.Ops)
		site := w.report.Sites[0]
		least, most := site.HeldMeanMin, site.HeldMeanMax
		if least == nil || most == nil || *least > *most || *most < float64(time.Millisecond) {
			t.Errorf("held for %s to %s ns, but for a sleep of 1 ms", word(least), word(most))
		}
		if p := w.report.Observer.Probe; p == nil || p.Hits != site.Calls || p.HitNS == nil || *p.HitNS <= 0 {
			t.Errorf("the probe's cost: %+v", p)
		}
		_, function, _ := strings.Cut(path.Base(site.Function), ".")
		place := fmt.Sprintf("%s (%s:%d)", function, path.Base(site.File), site.Line)
		named := false
		for _, f := range w.report.Findings {
			where, _ := f.Evidence["site"].(string)
			named = named || f.ID == "per-request-pinning" && strings.Contains(where, place)
		}
		if !named && w.account.Ops > 100 {
			t.Errorf("no finding names the site: %+v", w.report.Findings)
		}
	})
	t.Run("churn", func(t *testing.T) {
		w := watch{workload: []string{"churn"}, config: observe.Config{Sites: true}, work: time.Second}.run(t)
		w.checkSites(t, w.account.Sites[0].Pins)
		var n uint64
		for _, c := range w.report.Causes {
			if c.What == "exit" && c.Cause == "locked" && is(c.Function, w.account.Sites[0].Function) {
				n += c.N
			}
		}
		if n != w.account.LockedExits {
			t.Errorf("%d exits of %s, want %d: %+v", n, w.account.Sites[0].Function, w.account.LockedExits,
				w.report.Causes)
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
		w := watch{workload: []string{"dance"}, config: observe.Config{Sites: true}, work: time.Second}.run(t)
		if !is(w.report.Target.Stripped, true) || !is(w.report.Target.Offsets, "table") {
			t.Errorf("target %+v", w.report.Target)
		}
		w.checkSites(t, w.account.Ops) // of nested calls, the first is the outer one
	})
}

// checkSites compares the sites with the account's. All were called in the window, and released in
// it unless the thread ended.
func (w *watched) checkSites(t *testing.T, outer uint64) {
	t.Helper()
	r, a := &w.report, &w.account
	if len(r.Sites) != len(a.Sites) || len(a.Sites) != 1 {
		t.Fatalf("sites %+v, want %+v", r.Sites, a.Sites)
	}
	got, want := r.Sites[0], a.Sites[0]
	if got.Function != want.Function || got.File != want.File || got.Line != want.Line || got.Calls != want.Pins ||
		got.Outer != outer {
		t.Errorf("site %+v, want %+v, %d of them outer", got, want, outer)
	}
	if got.Released+got.Ended+got.Held != got.Outer || got.Held != 0 || got.Ended != a.LockedExits {
		t.Errorf("of %d locks %d were released, %d ended with their threads and %d are held: %d threads exited locked",
			got.Outer, got.Released, got.Ended, got.Held, a.LockedExits)
	}
	if k := knownShare(r.Locks); k < minKnown {
		t.Errorf("%.2f %% of %d lock observations are known", 100*k, r.Locks.Observations)
	}
}

// buildWorkload builds the workload command with flags of go build; "" where there is no go
// command, as in the guests of the kernel matrix.
func buildWorkload(t *testing.T, flags ...string) string {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Log("no go command in this guest: no program can be built")
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

// TestSitesWithoutLocks: a program that never calls LockOSThread has no such function for a
// breakpoint.
func TestSitesWithoutLocks(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	if _, err := exec.LookPath("go"); err != nil {
		t.Log("no go command in this guest: no program can be built")
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
	refused(t, observe.Config{PID: cmd.Process.Pid, Sites: true}, "sites", "never calls runtime.LockOSThread")
}

// refused observes with an option that the target does not allow. The error names the option and
// has the words.
func refused(t *testing.T, cfg observe.Config, option string, words ...string) {
	t.Helper()
	cfg.Duration = time.Second
	_, err := observe.Run(t.Context(), cfg)
	var refusal *observe.OptionError
	if !errors.As(err, &refusal) || refusal.Option != option {
		t.Fatalf("error %v, want one about %s", err, option)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q lacks %q", err, word)
		}
	}
}
