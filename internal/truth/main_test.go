// Package truth compares observations with independent witnesses: the workload's account, the trace
// buffer, perf and bpftrace, in the same window. It holds tests only.
//
// Counts, labels, locks and causes are judged by make test on any machine: other load changes how
// long something takes, and not how often it happens. Durations and bias are judged by make truth,
// which runs these tests alone on the machine with the flag -truth. A window that was disturbed is
// repeated. When every window was disturbed, nothing is judged, and the test binary exits with 4:
// inconclusive.
package truth

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

var (
	judgeDurations = flag.Bool("truth", false, "judge durations and bias, too: nothing else may run on the machine")
	truthOut       = flag.String("truth.out", "", "with -truth: observe for longer and write the figures "+
		"into `FILE`, between its markers")
)

// exitInconclusive is pinwatch's exit code for what could not be judged.
const exitInconclusive = 4

func TestMain(m *testing.M) {
	if code, is := testenv.TimeNamespaceMain(); is {
		os.Exit(code)
	}
	if os.Getenv(asObserver) != "" {
		observeElsewhere()
	}
	if os.Getenv(asExecutor) != "" {
		executeAnother()
	}
	if os.Getenv(asForker) != "" {
		forkOnce()
	}
	if os.Getenv(asReexecutor) != "" {
		executeAgain()
	}
	code := testenv.Main(m)
	if n := testenv.CountNotJudged(); code == 0 && *judgeDurations && n > 0 {
		fmt.Printf("inconclusive: %d comparisons were not judged\n", n)
		code = exitInconclusive
	}
	os.Exit(code)
}
