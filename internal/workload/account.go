package workload

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// Account is what a workload knows about itself. It covers [Start, End), the time between the beginning of its
// activity and the moment the last of its goroutines rested; both are 0 when the activity never began.
type Account struct {
	Name       string `json:"name"`
	PID        int    `json:"pid"` // as every id here: in the workload's PID namespace; also the main thread's id
	GoVersion  string `json:"go_version"`
	GoMaxProcs int    `json:"gomaxprocs"`

	Start int64 `json:"start_ns"` // CLOCK_MONOTONIC
	End   int64 `json:"end_ns"`   // CLOCK_MONOTONIC

	Ops      uint64 `json:"ops"`       // what the workload does, done: round trips, turns, reads, dead threads, spins
	Handoffs uint64 `json:"handoffs"`  // of these, wake-ups of one locked goroutine by another
	GCs      uint64 `json:"gcs"`       // collections that ended, whoever asked for them
	ForcedGC uint64 `json:"gc_forced"` // runtime.GC calls; no more than GCs
	Stops    uint64 `json:"stops"`     // runtime.ReadMemStats calls, each of which stops the world once

	// LockedExits is the number of goroutines that exited while locked to a thread other than the main one. Each ended
	// its thread with exit(2) and every one of these threads had left /proc/self/task when this was counted; the
	// kernel may still be switching away from the last for some tens of microseconds. Nothing else in a workload makes
	// a thread call exit(2).
	LockedExits    uint64 `json:"locked_exits"`
	LockedExitTIDs []int  `json:"locked_exit_tids"` // the first 4096 of them, in the order they died; ids may repeat

	// WedgedTID is the main thread, once a goroutine has exited while locked to it: it is parked for ever. 0 = it is not.
	WedgedTID int `json:"wedged_tid"`

	Sites []Site `json:"sites"` // where LockOSThread was called from Start on, by function
	Locks []Lock `json:"locks"` // stretches of a constant depth that have ended, the first 4096; only of who says so

	Pins    []Pin `json:"pins"`    // goroutines that hold a thread now, by TID
	Threads []int `json:"threads"` // /proc/self/task, ascending, read after End

	Foreign []int `json:"foreign"` // threads that C code made and that never call Go
	Extra   []int `json:"extra"`   // threads that C code made and that call Go
}

// Pin is a goroutine locked to its thread from before the Ready line until after the last Account.
type Pin struct {
	TID   int    `json:"tid"`
	GoID  int64  `json:"goid"`
	Depth int    `json:"depth"`          // LockOSThread calls that wait for their UnlockOSThread, 1 or more
	Role  string `json:"role"`           // what it does: ping, pong, spin, turn, read, wait, …
	Entry string `json:"entry"`          // full name of the function that the go statement started
	CPUs  []int  `json:"cpus,omitempty"` // what it confined its thread to; none = nothing
	Ops   uint64 `json:"ops"`            // its part of Account.Ops; for the passive end of a pair, the hand-offs it answered

	since int64 // CLOCK_MONOTONIC: it has had this Depth at least from then on
}

// maxKept bounds the lists of an Account: a workload that runs for hours must not grow.
const maxKept = 4096

// monotonic is CLOCK_MONOTONIC in nanoseconds, the clock of bpf_ktime_get_ns. The runtime's own reading of it is not exported.
// It is no point where a goroutine can be preempted: where it ends a loop without calls, the time is the loop's end.
//
//go:nosplit
func monotonic() int64 {
	const clockMonotonic = 1 // include/uapi/linux/time.h
	return clockTime(clockMonotonic)
}

//go:nosplit
func clockTime(clock uintptr) int64 {
	var ts syscall.Timespec
	_, _, _ = syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&ts)), 0) // cannot fail with these arguments
	return ts.Nano()
}

// goid is the id of the calling goroutine, from the first line of its trace: "goroutine 18 [running]:".
func goid() int64 {
	var buf [64]byte
	fields := strings.Fields(string(buf[:runtime.Stack(buf[:], false)]))
	if len(fields) < 2 {
		return 0
	}
	id, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return id
}

// taskIDs lists the threads of this process, ascending.
func taskIDs() ([]int, error) {
	dir, err := os.Open("/proc/self/task")
	if err != nil {
		return nil, fmt.Errorf("list threads: %v", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list threads: %v", err)
	}
	ids := make([]int, 0, len(names))
	for _, name := range names {
		id, err := strconv.Atoi(name)
		if err != nil {
			return nil, fmt.Errorf("list threads: %v", err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// taskAlive says whether this process still has the thread. It asks /proc, not tgkill: a workload must send no signal
// calls that an observer would count.
func taskAlive(tid int) bool {
	_, err := os.Stat("/proc/self/task/" + strconv.Itoa(tid))
	return err == nil
}

// collections is the number of garbage collections that have ended. ReadGCStats does not stop the world, so that
// counting sends no signals.
func collections() uint64 {
	var st debug.GCStats
	debug.ReadGCStats(&st)
	return uint64(st.NumGC)
}

// pauses is how long each of the last n collections stopped the world, the latest first.
func pauses(n uint64) []int64 {
	var st debug.GCStats
	debug.ReadGCStats(&st)
	if uint64(len(st.Pause)) < n {
		n = uint64(len(st.Pause)) // the runtime keeps 256
	}
	list := make([]int64, n)
	for i := range list {
		list[i] = int64(st.Pause[i])
	}
	return list
}
