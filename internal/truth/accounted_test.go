package truth

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// TestEveryThreadIsAccounted observes threads that come and go as fast as the machine makes them.
// Whatever the kernel skips, each thread was created, has exited or lives, and none was killed.
func TestEveryThreadIsAccounted(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	type accountedCase struct {
		name      string
		run       func(t *testing.T, throttled bool)
		throttled bool
	}
	all := []accountedCase{
		{"Go", goThreadsAreAccounted, false}, {"Go with a tenth of a CPU", goThreadsAreAccounted, true},
		{"C", cThreadsAreAccounted, false}, {"C with a tenth of a CPU", cThreadsAreAccounted, true},
	}
	for _, c := range testenv.Cases(all, []accountedCase{all[0], all[3]}) {
		t.Run(c.name, func(t *testing.T) { c.run(t, c.throttled) })
	}
	if testenv.Emulated() { // this alone keeps both CPUs of the emulator busy
		return
	}
	// System calls on BPF maps keep programs on classic tracepoints from running on their CPU
	// (kernel/bpf/syscall.c, bpf_disable_instrumentation).
	t.Run("Go beside map calls", func(t *testing.T) {
		callMaps(t)
		goThreadsAreAccounted(t, false)
	})
}

func goThreadsAreAccounted(t *testing.T, throttled bool) {
	p := testenv.Workload(t, "churn", "-rate", "10000", "-hold")
	p.Quiet()
	before := len(p.Threads())
	if throttled {
		testenv.Throttle(t, p.PID)
	}
	observed := observeProcess(t, p.PID, observe.Config{})
	p.Go()
	time.Sleep(2 * time.Second)
	endAccounted(t, p, before, observed)
}

// endAccounted ends the observation of a workload that exits while locked, and compares with its
// account. before is how many threads it had before its activity.
func endAccounted(t *testing.T, p *testenv.Proc, before int, observed *observation) report.Report {
	t.Helper()
	account := p.Quiesce()
	p.Quiet()
	created := len(p.Threads()) - before + int(account.LockedExits)
	r := observed.end()
	checkAccounted(t, &r, uint64(created), account.LockedExits)
	return r
}

// threadsInC names a built testdata/threads.c, as guests of the kernel matrix may have it.
const threadsInC = "PINWATCH_C_THREADS"

func cThreadsAreAccounted(t *testing.T, throttled bool) {
	program := os.Getenv(threadsInC)
	if _, err := os.Stat(program); err != nil {
		program = testenv.CProgram(t, "testdata/threads.c")
	}
	cmd := exec.Command(program)
	in, out := testenv.StartPiped(t, cmd)
	line := func() string {
		text, err := out.ReadString('\n')
		if err != nil {
			t.Fatalf("read a line of the program: %v", err)
		}
		return strings.TrimSpace(text)
	}
	line() // ready
	if throttled {
		testenv.Throttle(t, cmd.Process.Pid)
	}
	observed := observeProcess(t, cmd.Process.Pid, observe.Config{})
	fmt.Fprintln(in, "go")
	time.Sleep(2 * time.Second)
	fmt.Fprintln(in, "stop")
	made, err := strconv.ParseUint(line(), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) { // joined threads may not have ended
		tids, err := procfs.Process(cmd.Process.Pid).Threads()
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("%d threads are left, %v", len(tids), err)
		}
		if len(tids) == 1 {
			break
		}
	}
	r := observed.end()
	checkAccounted(t, &r, made, made)
}

func checkAccounted(t *testing.T, r *report.Report, created, exited uint64) {
	t.Helper()
	c := r.Counts
	t.Logf("%d created, %d exited, %d killed; %+v", c.ThreadsCreated, c.ThreadsExited, c.ThreadsKilled, r.Loss)
	if c.ThreadsCreated != created || c.ThreadsExited != exited || c.ThreadsKilled != 0 || exited == 0 {
		t.Errorf("%d threads were created, want %d; %d exited, want %d; %d were killed", c.ThreadsCreated, created,
			c.ThreadsExited, exited, c.ThreadsKilled)
	}
}

// callMaps keeps every CPU busy with system calls on a BPF map until the test ends.
func callMaps(t *testing.T) {
	t.Helper()
	const room = 100
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 4096, MaxEntries: room})
	if err != nil {
		t.Fatal(err)
	}
	var callers sync.WaitGroup
	stop := make(chan struct{})
	t.Cleanup(func() {
		close(stop)
		callers.Wait()
		m.Close()
	})
	for range runtime.NumCPU() {
		callers.Go(func() {
			value := make([]byte, 4096)
			for i := uint32(0); ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := m.Put(i%room, value); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
}

// TestSkippedRunsVoidWhatTheyTouch requires that runs which the kernel can skip have a known
// effect: those of programs that run where a thread can be preempted.
func TestSkippedRunsVoidWhatTheyTouch(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	never := []string{"sched_switch", "sched_waking", "sched_wakeup_new", "sched_migrate_task", "signal_generate",
		"signal_deliver", "sched_process_exec"}
	p := testenv.Workload(t, "idle")
	r := observeProcess(t, p.PID, observe.Config{Duration: 200 * time.Millisecond}).report()
	for _, program := range r.Observer.Programs {
		loss := correlate.Loss{Skipped: map[string]uint64{program.Name: 1}}
		if want := slices.Contains(never, program.Name); loss.Lossy() != want {
			t.Errorf("a skipped run of %s makes a run lossy: %t, want %t", program.Name, !want, want)
		}
	}
	if len(r.Observer.Programs) < len(never) {
		t.Errorf("%d programs", len(r.Observer.Programs))
	}
}
