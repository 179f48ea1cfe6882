// Package tree compares reports on whole trees of processes with independent witnesses: a trace
// instance that follows the same tree, and the accounts of the processes. It holds tests only. They
// start a pinwatch that they build.
package tree

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/schematest"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/testenv/witness"
)

var (
	many    = flag.Bool("many", false, "1,000 processes instead of 60")
	modules = flag.Bool("modules", false, "go test ./... of three modules, which are fetched: some minutes")
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

// build builds a pinwatch once for a test.
func build(t *testing.T) (pinwatch string) {
	t.Helper()
	testenv.Require(t, testenv.BPF, testenv.Tracefs, testenv.GoCommand)
	pinwatch = filepath.Join(t.TempDir(), "pinwatch")
	cmd := exec.Command("go", "build", "-pgo=off", "-o", pinwatch, "../../../cmd/pinwatch")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build pinwatch: %v\n%s", err, out)
	}
	return pinwatch
}

// observed is what pinwatch and the witness have of a tree.
type observed struct {
	reports   map[int][]report.Report // by process, in the order of their windows
	number    int                     // of reports
	summary   json.RawMessage
	processes []*witness.Process // pinwatch itself, then the others
	stdout    []byte             // of the command
	exit      int
}

// run has pinwatch run a command.
func run(t *testing.T, pinwatch, dir string, command ...string) *observed {
	t.Helper()
	out := filepath.Join(t.TempDir(), "reports.ndjson")
	args := append([]string{"run", "-o", "ndjson", "--out", out, "--"}, command...)
	cmd := exec.Command(pinwatch, args...)
	cmd.Dir = dir
	return observe(t, cmd, out, func() {})
}

// observe starts a pinwatch that writes reports to out, and waits for its end. meanwhile is called
// once it has started.
func observe(t *testing.T, cmd *exec.Cmd, out string, meanwhile func()) *observed {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	tree := witness.StartTree(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	meanwhile()
	err := cmd.Wait()
	time.Sleep(20 * time.Millisecond) // a process of the tree may still end
	o := &observed{reports: map[int][]report.Report{}, processes: tree.Stop(), stdout: stdout.Bytes()}
	if o.exit = cmd.ProcessState.ExitCode(); err != nil && o.exit >= 125 {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, &stderr)
	}
	o.read(t, out)
	return o
}

// read reads a report a line, and the summary, which comes last.
func (o *observed) read(t *testing.T, file string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var kind struct{ Schema string }
		if err := json.Unmarshal(lines.Bytes(), &kind); err != nil {
			t.Fatalf("%v: %.200s", err, lines.Text())
		}
		if o.summary != nil {
			t.Errorf("after the summary: %s", kind.Schema)
		}
		switch kind.Schema {
		case "pinwatch.report/v1":
			r := parse(t, lines.Bytes())
			o.reports[r.Target.PID] = append(o.reports[r.Target.PID], r)
			o.number++
		case "pinwatch.summary/v1":
			o.summary = json.RawMessage(bytes.Clone(lines.Bytes()))
		default:
			t.Errorf("schema %q", kind.Schema)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if o.summary == nil {
		t.Error("no summary")
	}
}

func parse(t *testing.T, text []byte) (r report.Report) {
	t.Helper()
	if err := schematest.Check(text); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	for _, w := range r.Warnings {
		if strings.Contains(w, "contradict") {
			t.Errorf("process %d: %s", r.Target.PID, w)
		}
	}
	return r
}

// gone reports whether a file was removed since: what it was is not known.
func gone(file string) bool {
	_, err := os.Stat(file)
	return errors.Is(err, fs.ErrNotExist)
}

// ofImage reports whether the first of a process's reports begins where an image does.
func ofImage(reports []report.Report, i witness.Image) bool {
	return len(reports) > 0 && reports[0].Window.StartNS >= i.Begin && reports[0].Window.StartNS < i.End
}

// compare compares every image for which is holds with its report. Each has exactly one, in the
// order of the images, and no other process has one.
func (o *observed) compare(t *testing.T, is func(*witness.Process, witness.Image) bool) (compared int) {
	t.Helper()
	left := map[int][]report.Report{}
	for pid, reports := range o.reports {
		left[pid] = reports
	}
	for _, p := range o.processes {
		pid := int(p.PID)
		for n, i := range p.Images {
			if i.Exe == "/proc/self/exe" && p.Parent == o.processes[0].PID {
				continue // pinwatch's helper, which executes the command
			}
			wanted := is(p, i)
			if !wanted && !(gone(i.Exe) && ofImage(left[pid], i)) {
				continue
			}
			if len(left[pid]) == 0 {
				if i.Created > 0 { // else the Go runtime never began
					t.Errorf("process %d has no report of %+v", pid, i)
				}
				continue
			}
			check(t, left[pid][0], i, n == len(p.Images)-1)
			left[pid] = left[pid][1:]
			compared++
		}
	}
	for pid, reports := range left {
		for _, r := range reports {
			exe := "?"
			if r.Target.Exe != nil {
				exe = *r.Target.Exe
			}
			t.Errorf("process %d: the witness has no such program as %s", pid, exe)
		}
	}
	return compared
}

// check compares the counts of a report with the witness. A report that has lost something may
// differ in what it has lost; it must not have more.
func check(t *testing.T, r report.Report, seen witness.Image, last bool) {
	t.Helper()
	got := []uint64{r.Counts.ThreadsCreated, r.Counts.ThreadsExited, r.Counts.ThreadsKilled}
	want := []int{seen.Created, seen.Exited, seen.Killed}
	if r.Counts.SigurgSent != nil {
		got, want = append(got, *r.Counts.SigurgSent), append(want, seen.SIGURGs)
	}
	for i := range got {
		switch {
		case got[i] == uint64(want[i]):
		case r.Loss.Total > 0 && got[i] < uint64(want[i]):
			t.Logf("process %d lost %v", r.Target.PID, r.Loss.ByKind)
		default:
			t.Errorf("process %d, %s: created, exited, killed, SIGURGs %d; the witness has %d",
				r.Target.PID, seen.Exe, got, want)
			return
		}
	}
	if r.Target.Ended == nil {
		t.Errorf("process %d: the report does not say that it has ended", r.Target.PID)
	}
	checkWindow(t, r, seen, last)
}

// checkWindow wants the window to begin after the exec and before the program makes a thread. It ends
// with the next exec, or after the last thread has called do_exit: each is switched out once more.
func checkWindow(t *testing.T, r report.Report, seen witness.Image, last bool) {
	t.Helper()
	const rounding = int64(time.Microsecond) // of the trace
	// The programs at one tracepoint run one after the other, and an interrupt may come between.
	const sameEvent = int64(time.Millisecond)
	begin, end := r.Window.StartNS, r.Window.EndNS
	if begin < seen.Begin-rounding || len(seen.Births) > 0 && begin > seen.Births[0]+rounding ||
		end < seen.End-rounding || !last && end > seen.End+sameEvent || end > testenv.Now() {
		t.Errorf("process %d, %s: window %d to %d, the program ran from %d to %d; its threads: %d", r.Target.PID,
			seen.Exe, begin, end, seen.Begin, seen.End, seen.Births)
	}
}

// account is what the processes of internal/workload/cmd/tree print.
type account struct {
	PID, Exited, Created, Children int
	Program                        string
}

func (o *observed) accounts(t *testing.T) (all []account) {
	t.Helper()
	for d := json.NewDecoder(bytes.NewReader(o.stdout)); d.More(); {
		var a account
		if err := d.Decode(&a); err != nil {
			t.Fatalf("%v in %s", err, o.stdout)
		}
		all = append(all, a)
	}
	return all
}

// checkAccounts compares the reports with what the processes say of themselves: the next report of a
// process with its next account.
func (o *observed) checkAccounts(t *testing.T) {
	t.Helper()
	next := map[int]int{}
	for _, a := range o.accounts(t) {
		n := next[a.PID]
		next[a.PID]++
		if n >= len(o.reports[a.PID]) {
			t.Errorf("no report of %+v", a)
			continue
		}
		c := o.reports[a.PID][n].Counts
		if locked := c.ThreadsExitedLocked; locked != nil && *locked != uint64(a.Exited) ||
			c.ThreadsExited != uint64(a.Exited) || c.ThreadsCreated < uint64(a.Created) {
			t.Errorf("%+v\nthe report has %+v", a, c)
		}
	}
}

// ofTree reports whether an image is internal/workload/cmd/tree, whose processes start others by
// /proc/self/exe.
func ofTree(_ *witness.Process, i witness.Image) bool {
	return i.Program() == "tree" || i.Exe == "/proc/self/exe"
}

// lossless fails the test where a report lost something.
func (o *observed) lossless(t *testing.T) {
	t.Helper()
	for pid, reports := range o.reports {
		for _, r := range reports {
			if r.Loss.Total > 0 {
				t.Errorf("process %d lost %v", pid, r.Loss.ByKind)
			}
		}
	}
}

func (o *observed) String() string {
	return fmt.Sprintf("%d reports, %d processes, exit code %d", o.number, len(o.processes), o.exit)
}
