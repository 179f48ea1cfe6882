package main_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

// The account of the program cgo agrees with the kernel's list of threads.
func TestThreadsOfC(t *testing.T) {
	p := testenv.CgoWorkload(t, "cgo", "-foreign", "1", "-extra", "2", "-pins", "3", "-hold")
	p.Go()
	a := p.Quiesce()
	if len(a.Foreign) != 1 || len(a.Extra) != 2 || len(a.Pins) != 3 {
		t.Fatalf("foreign %v, extra %v, pins %+v: want 1, 2, 3", a.Foreign, a.Extra, a.Pins)
	}
	seen := map[int]bool{}
	for _, tid := range append(append([]int{a.Pins[0].TID, a.Pins[1].TID, a.Pins[2].TID}, a.Foreign...), a.Extra...) {
		if seen[tid] || !slices.Contains(p.Threads(), int32(tid)) {
			t.Errorf("thread %d: in the account twice, or not the kernel's", tid)
		}
		seen[tid] = true
	}
	p.Stop()
}

// The command has the workloads of the plain one, too.
func TestOtherWorkloads(t *testing.T) {
	p := testenv.CgoWorkload(t, "matrix", "-hold")
	exe, err := os.ReadFile(fmt.Sprintf("/proc/%d/exe", p.PID))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(exe, []byte("libc.so")) {
		t.Error("the program is not linked with C")
	}
	p.Go()
	if a := p.Stop(); a.Name != "matrix" || len(a.Pins) == 0 {
		t.Errorf("account %+v", a)
	}
}
