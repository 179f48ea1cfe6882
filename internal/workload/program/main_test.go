package program_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/workload/catalog"
)

func TestMain(m *testing.M) { os.Exit(testenv.MainAsWorkload(m, catalog.Main)) }

// needCPUs ends the test of a program that needs two CPUs where there is one, if the program
// reports that.
func needCPUs(t *testing.T, name string) {
	t.Helper()
	if name != "sharedcore" || runtime.NumCPU() > 1 {
		return
	}
	var out, errs strings.Builder
	if code := catalog.Main([]string{name}, strings.NewReader(""), &out, &errs); code != 1 ||
		!strings.Contains(errs.String(), "two CPUs") {
		t.Errorf("on one CPU: exit %d, stderr %q", code, &errs)
	}
	runtime.Goexit() // the rest of the test is about two
}

// threads lists the threads of a workload from the kernel, ascending.
func threads(p *testenv.Proc) (tids []int) {
	for _, tid := range p.Threads() {
		tids = append(tids, int(tid))
	}
	slices.Sort(tids)
	return tids
}

// slept is how often the kernel counted that the thread gave up its CPU voluntarily.
func slept(t *testing.T, pid, tid int) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(taskStatus(t, pid, tid, "voluntary_ctxt_switches"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// taskStatus is a value of a thread's status file.
func taskStatus(t *testing.T, pid, tid int, key string) string {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/status", pid, tid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(status), "\n"+key+":")
	if !ok {
		t.Fatalf("the status of thread %d has no %s", tid, key)
	}
	line, _, _ := strings.Cut(after, "\n")
	return strings.TrimSpace(line)
}
