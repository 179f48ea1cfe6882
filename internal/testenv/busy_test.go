package testenv

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

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
	r := Record(func(t testing.TB) {
		Judge(t, 2, func() []string { tries++; return []string{"wrong"} })
	})
	judged := strings.Contains(r.FatalText, "not busy")
	if tries < 2 || tries > 4 || judged == strings.Contains(strings.Join(r.Logs, "\n"), "not judged") {
		t.Errorf("%d attempts, %+v", tries, r)
	}
	tries = 0
	r = Record(func(t testing.TB) {
		Judge(t, 2, func() (problems []string) {
			if tries++; tries == 1 {
				problems = []string{"wrong"}
			}
			return problems
		})
	})
	if tries != 2 || r.FatalText != "" {
		t.Errorf("%d attempts, %+v", tries, r)
	}
}
