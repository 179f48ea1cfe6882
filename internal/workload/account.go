package workload

// Account is the report of a program about itself. It covers [Start, End): from the beginning of
// the activity to the moment when the last of its goroutines rested. Both are 0 if the activity
// never began.
type Account struct {
	Name       string `json:"name"`
	PID        int    `json:"pid"` // in the program's PID namespace, as every id here; also the id of the main thread
	GoVersion  string `json:"go_version"`
	GoMaxProcs int    `json:"gomaxprocs"`

	Start int64 `json:"start_ns"` // CLOCK_MONOTONIC
	End   int64 `json:"end_ns"`   // CLOCK_MONOTONIC

	// Ops is the number of operations. Each program defines what it counts: round trips, turns,
	// reads, ended threads, spins.
	Ops      uint64 `json:"ops"`
	Handoffs uint64 `json:"handoffs"`  // operations in which one locked goroutine woke another
	GCs      uint64 `json:"gcs"`       // collections that ended, forced or not
	ForcedGC uint64 `json:"gc_forced"` // runtime.GC calls; at most GCs
	Stops    uint64 `json:"stops"`     // runtime.ReadMemStats calls; each stops the world once

	// LockedExits is the number of goroutines that exited while locked to a thread other than the
	// main one. Each ended its thread with exit(2). All these threads had left /proc/self/task when
	// this was counted. The kernel may still be switching away from the last one for some tens of
	// microseconds. Nothing else in a program makes a thread call exit(2).
	LockedExits uint64 `json:"locked_exits"`
	// LockedExitTIDs has the first MaxKept of them, in the order of their ends; ids may repeat.
	LockedExitTIDs []int `json:"locked_exit_tids"`

	// WedgedTID is the main thread after a goroutine has exited while locked to it: it is parked
	// for ever. 0 = it is not.
	WedgedTID int `json:"wedged_tid"`

	Sites []LockSite `json:"sites"` // functions that called LockOSThread from Start on, by name
	// Locks has the stretches of constant depth that have ended, the first MaxKept. Only some
	// programs record them.
	Locks []Lock `json:"locks"`

	Held    []Held `json:"held"`    // goroutines that keep a thread, locked or not, as Pins
	Pins    []Pin  `json:"pins"`    // goroutines that hold a thread now, by TID
	Threads []int  `json:"threads"` // /proc/self/task, ascending, read after End

	Foreign []int `json:"foreign"` // threads made by C code that never call Go
	Extra   []int `json:"extra"`   // threads made by C code that call Go
}

// MaxKept bounds the lists of an Account, so that a program that runs for hours does not grow.
const MaxKept = 4096

// Pin is a goroutine that is locked to its thread from before the Ready line until after the last
// Account.
type Pin struct {
	TID   int    `json:"tid"`
	GoID  int64  `json:"goid"`
	Depth int    `json:"depth"`          // LockOSThread calls without their UnlockOSThread, 1 or more
	Role  string `json:"role"`           // ping, pong, spin, turn, read, wait, …
	Entry string `json:"entry"`          // full name of the function that the go statement started
	CPUs  []int  `json:"cpus,omitempty"` // CPUs that it confined its thread to; none = not confined
	// Ops is its part of Account.Ops; for the passive end of a pair, the hand-offs it answered.
	Ops uint64 `json:"ops"`
}

// Held is a goroutine that keeps its thread from before the Ready line until the process ends.
type Held struct {
	TID   int      `json:"tid"` // 0 = not known: it is not locked
	GoID  int64    `json:"goid"`
	Depth int      `json:"depth"` // of its lock, 0 = it is not locked
	Use   string   `json:"use"`   // call: in a system call; c: in C; parked: it waits, locked to the thread
	Call  string   `json:"call"`  // the system call that the thread sleeps in; "" = one of the runtime's choice
	Stack []string `json:"stack"` // full names of the functions, from the one that keeps the thread outwards
}

// LockSite is a function that calls LockOSThread.
type LockSite struct {
	Function string `json:"function"` // full name
	File     string `json:"file"`     // from the program's own line table, as Line
	Line     int    `json:"line"`     // of the call
	Pins     uint64 `json:"pins"`     // calls from Start on
}

// Lock is a stretch of time in which a goroutine was locked to a thread at one depth. It was locked
// from the first to the last nanosecond given here, and a little longer on both sides, which cannot
// be timed.
type Lock struct {
	TID   int   `json:"tid"`
	GoID  int64 `json:"goid"`
	From  int64 `json:"from_ns"` // CLOCK_MONOTONIC, as To
	To    int64 `json:"to_ns"`
	Depth int   `json:"depth"`
}
