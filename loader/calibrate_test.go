package loader

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unsafe"

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
	if err := refuseCall(unix.SYS_PERF_EVENT_OPEN); err != nil {
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

// refuseCall has the kernel refuse a system call to all threads of this process, for good.
func refuseCall(call uint32) error {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // struct seccomp_data: nr
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	runtime.LockOSThread() // the filter is for all threads, the permission to set it for this one
	defer runtime.UnlockOSThread()
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	return nil
}
