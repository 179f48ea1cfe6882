package program_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/program"
)

func TestHeldWorkloadDoesNothing(t *testing.T) {
	for _, program := range program.All() {
		t.Run(program.Name, func(t *testing.T) {
			needCPUs(t, program.Name)
			p := testenv.Workload(t, program.Name, "-hold")
			if a := p.Stop(); a.Start != 0 || a.End != 0 || a.Ops != 0 || a.Handoffs != 0 || a.LockedExits != 0 ||
				a.ForcedGC != 0 || a.Stops != 0 || a.WedgedTID != 0 || len(a.Sites) != 0 {
				t.Errorf("did something before the line go: %+v", a)
			}
		})
	}
}

// finished runs a program with an empty stdin to its end and returns its last account.
func finished(t *testing.T, args ...string) (a workload.Account) {
	t.Helper()
	cmd := exec.Command(testenv.WorkloadProgram(t), args...)
	cmd.Stdin = strings.NewReader("")
	return lastAccount(t, cmd)
}

func lastAccount(t *testing.T, cmd *exec.Cmd) (a workload.Account) {
	t.Helper()
	out, err := cmd.Output()
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if err == nil {
		err = json.Unmarshal(lines[len(lines)-1], &a)
	}
	if err != nil || len(lines) != 2 {
		t.Fatalf("%v: %v, %q: want a ready line and an account", cmd.Args, err, out)
	}
	return a
}

func TestEndsByItself(t *testing.T) {
	t.Run("when its time is up", func(t *testing.T) {
		const length = 50e6
		cmd := exec.Command(testenv.WorkloadProgram(t), "churn", "-d", "50ms")
		stdin, err := cmd.StdinPipe() // stays open
		if err != nil {
			t.Fatal(err)
		}
		defer stdin.Close()
		if a := lastAccount(t, cmd); a.End-a.Start < length || a.Ops != a.LockedExits {
			t.Errorf("ran %d ns, %d operations, %d locked exits", a.End-a.Start, a.Ops, a.LockedExits)
		}
	})
	t.Run("when stdin ends", func(t *testing.T) {
		if a := finished(t, "idle"); a.Start == 0 || a.End < a.Start {
			t.Errorf("window [%d, %d)", a.Start, a.End)
		}
	})
}

func TestUnknownCommandChangesNothing(t *testing.T) {
	p := testenv.Workload(t, "idle")
	p.Send("dance")
	p.Send("step")
	p.Stop()
	if got := p.Stderr(); !strings.Contains(got, `unknown command "dance"`) || !strings.Contains(got, "idle has no step") {
		t.Errorf("stderr: %q", got)
	}
}

// Every depth agrees with the stretches that ended with it.
func TestStepsChangeDepths(t *testing.T) {
	p := testenv.Workload(t, "depth")
	depths := map[int64]int{}
	for step := 1; step <= maxDepth; step++ { // all the way round
		a := p.Step()
		var now []int
		for _, pin := range a.Pins {
			if was, ok := depths[pin.GoID]; ok && pin.Depth != was%maxDepth+1 {
				t.Errorf("step %d: pin %+v was at depth %d", step, pin, was)
			}
			depths[pin.GoID] = pin.Depth
			now = append(now, pin.Depth)
		}
		if slices.Sort(now); !slices.Equal(now, []int{1, 2, 3, 4, 5}) {
			t.Fatalf("step %d: depths %v", step, now)
		}
		if a.End != 0 {
			t.Errorf("step %d ended the activity", step)
		}
	}
	a := p.Quiesce()
	checkLocks(t, a, maxDepth*(maxDepth+1), maxDepth)
	checkSite(t, a, "(*Workload).deepen", maxDepth*(maxDepth-1))

	p.Send("step")
	if last := p.Stop(); len(last.Locks) != len(a.Locks) {
		t.Errorf("stepped at rest: %d stretches, then %d", len(a.Locks), len(last.Locks))
	}
}
