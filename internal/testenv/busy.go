package testenv

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/host"
	"github.com/pinwatch/pinwatch/internal/procfs"
)

// OtherLoad is the load on the machine in a window that is not from this process or its
// descendants.
type OtherLoad struct {
	CPUs     float64       // mean number of CPUs that other processes used
	Stolen   float64       // mean number of CPUs that a hypervisor gave to others
	RunQueue int           // threads that ran or waited for a CPU at the window's end, of all processes
	Step     time.Duration // by which the wall clock was set
}

// The limits of a window in which durations can be judged. A tick of /proc/stat is 10 ms, so
// tickError is the error of two reads.
const (
	maxOthers = 0.1
	maxStolen = 0.02
	maxStep   = 10 * time.Millisecond
	tickError = 2 * time.Second / procfs.UserHZ
)

// Busy reports whether the load could have changed how long something took.
func (o OtherLoad) Busy() bool {
	return o.CPUs > maxOthers || o.Stolen > maxStolen || o.Step.Abs() > maxStep
}

func (o OtherLoad) String() string {
	text := fmt.Sprintf("run queue %d, others used %.2f of %d CPUs, %.2f were stolen", o.RunQueue, o.CPUs,
		runtime.NumCPU(), o.Stolen)
	if o.Step.Abs() > maxStep {
		text += fmt.Sprintf(", the clock was set by %v", o.Step)
	}
	return text
}

// machineLoad is the machine's load since boot at one moment.
type machineLoad struct {
	procfs.Machine
	time, wall time.Duration // CLOCK_MONOTONIC, CLOCK_REALTIME
	ours       time.Duration // CPU time of this process and its descendants
}

// WatchOtherLoad begins a window. The returned function ends it. Descendants are compared by what
// they used, so they may begin and end in the window.
func WatchOtherLoad(t testing.TB) (end func() OtherLoad) {
	t.Helper()
	begin := readMachineLoad(t)
	return func() OtherLoad {
		t.Helper()
		now := readMachineLoad(t)
		elapsed := (now.time - begin.time).Seconds()
		others := (now.Busy - begin.Busy) - (now.ours - begin.ours) - tickError
		return OtherLoad{
			CPUs:     max(0, others.Seconds()/elapsed),
			Stolen:   max(0, (now.Stolen-begin.Stolen-tickError).Seconds()/elapsed),
			RunQueue: now.Running,
			Step:     (now.wall - begin.wall) - (now.time - begin.time),
		}
	}
}

func readMachineLoad(t testing.TB) machineLoad {
	t.Helper()
	m, err := procfs.ReadMachine()
	if err != nil {
		t.Fatal(err)
	}
	return machineLoad{m, readClock(unix.CLOCK_MONOTONIC), readClock(unix.CLOCK_REALTIME), descendantsTime()}
}

// Now is CLOCK_MONOTONIC in nanoseconds, the clock of every time in this package and of
// bpf_ktime_get_ns.
func Now() int64 { return int64(readClock(unix.CLOCK_MONOTONIC)) }

func readClock(clock int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		panic(err) // cannot be: the clock exists and the pointer is valid
	}
	return time.Duration(ts.Nano())
}

// descendantsTime is the CPU time of this process and all its descendants, also of those that have
// ended and were waited for.
func descendantsTime() (used time.Duration) {
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var ru unix.Rusage
		if unix.Getrusage(who, &ru) == nil {
			used += time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
		}
	}
	children := map[int][]procfs.Stat{}
	pids := map[int][]int{}
	for _, pid := range procfs.Processes() {
		stat, err := procfs.Process(pid).Stat()
		if err != nil {
			continue // it has ended
		}
		children[stat.Parent] = append(children[stat.Parent], stat)
		pids[stat.Parent] = append(pids[stat.Parent], pid)
	}
	for family := []int{os.Getpid()}; len(family) > 0; family = family[1:] {
		for i, child := range children[family[0]] {
			used += child.Used + child.ChildrenUsed
			family = append(family, pids[family[0]][i])
		}
	}
	return used
}

// Emulated reports whether the machine is an emulator, such as a guest of the kernel matrix.
// Durations there are the emulator's, and no test judges them.
func Emulated() bool {
	return os.Getenv("PINWATCH_EMULATED") == "1" || host.Read(os.DirFS("/")).Virtualization == "qemu"
}

// Cases returns the cases of a test: all of them, or in an emulator, which takes ten seconds and
// more for each, some that take every path.
func Cases[T any](all, emulated []T) []T {
	if Emulated() {
		return emulated
	}
	return all
}

var notJudged atomic.Int64

// NotJudged logs that a test judges nothing, and why. The test passes.
func NotJudged(t testing.TB, format string, args ...any) {
	t.Helper()
	notJudged.Add(1)
	t.Logf("not judged: "+format, args...)
}

// CountNotJudged returns how often NotJudged was called in this process.
func CountNotJudged() int { return int(notJudged.Load()) }

// Judge makes attempts until one has no problems. Only attempts without other load on the machine
// count against the code: after so many of them the test fails. When it has made twice as many
// attempts in all, nothing is judged.
func Judge(t testing.TB, attempts int, attempt func() (problems []string)) {
	t.Helper()
	quiet := 0
	var busy OtherLoad
	for i := range 2 * attempts {
		end := WatchOtherLoad(t)
		problems := attempt()
		load := end()
		if len(problems) == 0 {
			return
		}
		t.Logf("attempt %d (%s): %s", i+1, load, strings.Join(problems, "; "))
		if load.Busy() {
			busy = load
		} else if quiet++; quiet == attempts {
			t.Fatalf("problems in %d attempts in which the machine was not busy", attempts)
		}
	}
	NotJudgedBusy(t, busy)
}

// NotJudgedBusy logs that a test judges nothing because of the other load. The test passes.
func NotJudgedBusy(t testing.TB, load OtherLoad) {
	t.Helper()
	NotJudged(t, "the machine was busy (%s)", load)
}
