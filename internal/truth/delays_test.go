package truth

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/workload"
)

// A pinned thread shares its CPU with a process. The report names that process, and its waits are
// part of the thread's waiting time.
func TestDelaysNameTheRival(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	for _, aggregate := range []bool{false, true} {
		t.Run(fmt.Sprintf("aggregate=%t", aggregate), func(t *testing.T) {
			untilWithout(t, "records were lost, every time", func() []string { return delayProblems(t, aggregate) })
		})
	}
}

func delayProblems(t *testing.T, aggregate bool) []string {
	t.Helper()
	pinned := testenv.Workload(t, "spinners", "-n", "1", "-gc", "1h", "-hold")
	rival := testenv.Workload(t, "spinners", "-n", "1", "-gc", "1h", "-hold")
	onOneCPU(t, pinned.Threads())
	onOneCPU(t, rival.Threads())
	pinned.Go()
	rival.Go()
	r := observeProcess(t, pinned.PID, observe.Config{Duration: 2 * time.Second, Aggregate: aggregate}).report()
	account := pinned.Stop()
	rivalTID := rival.Stop().Pins[0].TID
	if problems := lossProblems(r.Loss); problems != nil {
		return problems
	}
	pin := account.Pins[0]
	d := delayOf(&r, &pin)
	if d == nil {
		t.Fatalf("no delay of thread %d (%s): %+v", pin.TID, pin.Entry, r.Delays)
	}
	var sum uint64
	var waited int64
	named := false
	for _, by := range d.By {
		sum += by.N
		waited += by.WaitNS
		if by.PID != nil && int(*by.PID) == rival.PID && by.N > 0 {
			named = by.What == "process" && by.Name != nil && strings.HasPrefix(*by.Name, "workload")
		}
	}
	if !named {
		t.Errorf("the rival, process %d with thread %d, is not among those who ran: %s", rival.PID, rivalTID, describe(d))
	}
	if int64(sum) != d.N || waited != d.WaitNS {
		t.Errorf("the tasks' waits add up to %d (%d ns), want %d (%d ns)", sum, waited, d.N, d.WaitNS)
	}
	for _, th := range r.Threads {
		if int(th.TID) == pin.TID && (d.WaitNS > th.RunqNS || 2*d.WaitNS < th.RunqNS) {
			t.Errorf("its long waits are %d ns, all its waits %d ns", d.WaitNS, th.RunqNS)
		}
	}
	return nil
}

func describe(d *report.Delay) string {
	var b strings.Builder
	for _, by := range d.By {
		pid, name := int32(0), ""
		if by.PID != nil {
			pid = *by.PID
		}
		if by.Name != nil {
			name = *by.Name
		}
		fmt.Fprintf(&b, "%s %d %q %d×; ", by.What, pid, name, by.N)
	}
	return b.String()
}

// delayOf returns the delays of the function of a pin.
func delayOf(r *report.Report, pin *workload.Pin) *report.Delay {
	for i := range r.Delays {
		if d := &r.Delays[i]; d.Function != nil && *d.Function == pin.Entry {
			return d
		}
	}
	return nil
}

// onOneCPU binds threads to the first CPU that this process may use.
func onOneCPU(t *testing.T, tids []int32) {
	t.Helper()
	var allowed, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	cpu := 0
	for !allowed.IsSet(cpu) {
		cpu++
	}
	one.Set(cpu)
	for _, tid := range tids {
		if err := unix.SchedSetaffinity(int(tid), &one); err != nil {
			t.Fatal(err)
		}
	}
}

// A locked goroutine sleeps by raw system calls. The report counts the sleeps that a SIGURG ended as
// the goroutine does.
func TestInterruptedCallsAreTheProgramsOwn(t *testing.T) {
	agree(t, func() (problems []string) {
		w := watch{workload: []string{"interrupted"}, work: 2 * time.Second}.run(t)
		var n uint64
		for _, c := range w.report.Calls {
			if c.Call == "nanosleep" && c.Locked != nil {
				n = *c.Locked
			}
			if c.Call == "nanosleep" && c.Restarted > 0 {
				t.Errorf("nanosleep began again %d times", c.Restarted)
			}
		}
		if w.account.Ops < 20 {
			testenv.NotJudged(t, "the machine is too slow now: %d sleeps were interrupted", w.account.Ops)
		}
		if n != w.account.Ops {
			problems = append(problems, fmt.Sprintf("%d interrupted sleeps reported, the goroutine counted %d: %+v", n,
				w.account.Ops, w.report.Calls))
		}
		return problems
	})
}
