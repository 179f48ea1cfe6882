package loader

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

// With Light nothing is attached to a system call, not even to measure: a process to which the
// kernel refuses perf_event_open, without which there is no tracepoint on a system call, still
// measures what it uses. The same process cannot measure for a session that is not light.
func TestLightMeasuresWithoutSystemCalls(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	const pidVar = "PINWATCH_TEST_REFUSED"
	if os.Getenv(pidVar) == "" {
		p := testenv.Workload(t, "idle")
		cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), pidVar+"="+strconv.Itoa(p.PID))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	pid, err := strconv.Atoi(os.Getenv(pidVar))
	if err != nil {
		t.Fatal(err)
	}
	if err := testenv.RefuseCall(unix.SYS_PERF_EVENT_OPEN); err != nil {
		t.Fatal(err)
	}
	s := attachTo(t, pid, Config{Light: true, Calibrate: true})
	if s.CalibrationErr != nil {
		t.Fatalf("with light: %v", s.CalibrationErr)
	}
	for _, p := range s.NewProgramTimes(s.Calibration).Times() {
		if (p.DispatchNS == nil) != (s.Hooks()[strings.TrimSuffix(p.Name, "_return")] == Off) {
			t.Errorf("%s: the way to it takes %v ns", p.Name, p.DispatchNS)
		}
	}
	if _, _, err := calibrate(readTypes, false); err == nil {
		t.Error("measured a tracepoint on a system call without perf_event_open")
	}
}
