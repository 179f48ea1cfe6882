package truth

import (
	"testing"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/verify"
)

// The statements whose evidence is kernel events get no verdict from workloads whose locks are left
// out. internal/verify has the table of all others.
func TestMutationsOfEvents(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	lab, remove, err := verify.NewLab(t.Context(), verify.Options{Builtin: []string{testenv.WorkloadProgram(t)}})
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	lab.Alter = map[string][]string{"churn": {"-skip-lock"}, "spinners": {"-skip-lock"}}
	e, err := verify.Run(t.Context(), lab, []string{"churn", "storm"}, func(string, int) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"P-5", "P-8", "P-9", "N-6"} {
		s, _ := contract.Find(id)
		o := s.Judge(e)
		t.Logf("%-4s without a lock: %s: %s", id, o.Verdict, o.Why)
		if o.Verdict != contract.Inconclusive {
			t.Errorf("%s: %s, got %s", id, o.Verdict, o.Got)
		}
	}
}
