package testenv

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestParseMachineLoad(t *testing.T) {
	l, err := parseMachineLoad("cpu  100 20 30 4000 5 6 7 8 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\nprocs_running 3\nprocs_blocked 0\n")
	if want := (machineLoad{busy: 1500 * time.Millisecond, stolen: 80 * time.Millisecond, running: 3}); err != nil ||
		l != want {
		t.Errorf("%+v, %v, want %+v", l, err, want)
	}
	for _, text := range []string{"cpu x 0 0 0 0 0 0 0 0\n", "procs_running x\n"} {
		if l, err := parseMachineLoad(text); err == nil {
			t.Errorf("%q: %+v", text, l)
		}
	}
}

func TestBusy(t *testing.T) {
	for want, loads := range map[bool][]OtherLoad{
		false: {{}, {CPUs: 0.05, Stolen: 0.01, RunQueue: 9, Step: -time.Millisecond}},
		true:  {{CPUs: 0.5}, {Stolen: 0.1}, {Step: -time.Second}},
	} {
		for _, load := range loads {
			if load.Busy() != want {
				t.Errorf("busy: %t with %s", !want, load)
			}
		}
	}
}

// TestDescendantsTime compares the CPU time of this process and its children with what the kernel
// reports of them at their end.
func TestDescendantsTime(t *testing.T) {
	before := descendantsTime()
	var used time.Duration
	for range 3 {
		child := exec.Command("/proc/self/exe", "-test.run=^$")
		if err := child.Run(); err != nil {
			t.Fatal(err)
		}
		used += child.ProcessState.UserTime() + child.ProcessState.SystemTime()
	}
	if got := descendantsTime() - before; used == 0 || got < used {
		t.Errorf("%v, of which %v were children's", got, used)
	}
}

// TestJudge runs attempts that fail, on a machine in any condition.
func TestJudge(t *testing.T) {
	tries := 0
	r := record(func(t testing.TB) {
		Judge(t, 2, func() []string { tries++; return []string{"wrong"} })
	})
	judged := strings.Contains(r.fatal, "not busy")
	if tries < 2 || tries > 4 || judged == strings.Contains(strings.Join(r.logs, "\n"), "not judged") {
		t.Errorf("%d attempts, %+v", tries, r)
	}
	tries = 0
	r = record(func(t testing.TB) {
		Judge(t, 2, func() (problems []string) {
			if tries++; tries == 1 {
				problems = []string{"wrong"}
			}
			return problems
		})
	})
	if tries != 2 || r.fatal != "" {
		t.Errorf("%d attempts, %+v", tries, r)
	}
}
