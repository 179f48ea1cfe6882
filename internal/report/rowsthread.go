package report

// Thread is one OS thread over the window. The keys of the lock are nil where the lock is not
// known.
type Thread struct {
	TID           int32    `json:"tid"`
	M             *int64   `json:"m"`
	Name          string   `json:"name"`
	Role          string   `json:"role"`
	Lock          string   `json:"lock"`
	LockedExt     *uint32  `json:"locked_ext"`
	LockedInt     *uint32  `json:"locked_int"`
	LockDepthMax  *uint32  `json:"lock_depth_max"`
	LockHolds     *uint64  `json:"lock_holds"`
	GoID          *uint64  `json:"goid"`
	LockEntry     *string  `json:"lock_entry"`
	Parked        *bool    `json:"parked"`
	LockHeldMin   *float64 `json:"lock_held_min_s"`
	LockHeldMax   *float64 `json:"lock_held_max_s"`
	LockSites     []string `json:"lock_sites"` // nil without the probe
	Handoff       *Handoff `json:"handoff"`
	CreatedBy     *int32   `json:"created_by"`
	Cause         *string  `json:"cause"`
	CauseFunction *string  `json:"cause_function"`
	StartNS       *int64   `json:"start_ns"`
	ExitNS        *int64   `json:"exit_ns"`
	Switches      uint64   `json:"switches"`
	Migrations    uint64   `json:"migrations"`
	RunNS         int64    `json:"run_ns"`
	RunqNS        int64    `json:"runq_ns"`
	BlockedNS     int64    `json:"blocked_ns"`
	UnknownNS     int64    `json:"unknown_ns"`
	PausedNS      *int64   `json:"paused_ns"`    // nil: in blocked_ns
	ThrottledNS   *int64   `json:"throttled_ns"` // nil: in runq_ns
	CPUs          []int    `json:"cpus"`
	Affinity      *string  `json:"affinity"`
	Nice          *int     `json:"nice"`
	Policy        *string  `json:"policy"`
}

// Omitted counts the threads that are not listed.
type Omitted struct {
	Ended  uint64 `json:"ended"`
	Asleep uint64 `json:"asleep"`
}

// Handoff is the cost of waking a locked thread for its goroutine.
type Handoff struct {
	N      uint64   `json:"n"`
	PerS   *float64 `json:"per_s"`
	WakeNS *float64 `json:"wake_ns"` // nil when n is 0
	CPUNS  *float64 `json:"cpu_ns"`  // the same
}

// Locks counts the reads of lock states, and those that gave no state.
type Locks struct {
	Observations uint64 `json:"observations"`
	Unknown      uint64 `json:"unknown"`
}

// Site is one caller of LockOSThread.
type Site struct {
	Function    string   `json:"function"`
	File        string   `json:"file"`
	Line        int      `json:"line"`
	Stack       []string `json:"stack"`
	Calls       uint64   `json:"calls"`
	PerS        *float64 `json:"per_s"`
	Outer       uint64   `json:"outer"`
	Released    uint64   `json:"released"`
	Ended       uint64   `json:"ended_with_thread"`
	Held        uint64   `json:"held"`
	HeldMeanMin *float64 `json:"held_mean_min_ns"` // nil when nothing was released
	HeldMeanMax *float64 `json:"held_mean_max_ns"` // the same
}

// Cause counts one reason for which threads were created, ended or preempted.
type Cause struct {
	What     string  `json:"what"`
	Cause    string  `json:"cause"`
	Reason   *string `json:"reason"`
	Function *string `json:"function"`
	N        uint64  `json:"n"`
}

// ParentDeath counts threads whose end signalled their children.
type ParentDeath struct {
	Signal   int     `json:"signal"`
	Function *string `json:"function"`
	Threads  uint64  `json:"threads"`
	Children uint64  `json:"children"`
}

// Call counts a system call that a SIGURG was delivered in.
type Call struct {
	Call        string        `json:"call"`
	Number      int           `json:"number"`
	Interrupted uint64        `json:"interrupted"`
	Locked      *uint64       `json:"interrupted_locked"` // nil where locks are not known
	Restarted   uint64        `json:"restarted"`
	Unknown     uint64        `json:"unknown"`
	Threads     []ThreadCalls `json:"threads"`
}

// ThreadCalls counts those of a thread that returned EINTR.
type ThreadCalls struct {
	TID int32  `json:"tid"`
	N   uint64 `json:"n"`
}

// Delay describes the long waits of pinned threads of one function for a CPU.
type Delay struct {
	Function *string     `json:"function"`
	Isolated bool        `json:"isolated_cpus"`
	TIDs     []int32     `json:"tids"`
	N        int64       `json:"n"`
	WaitNS   int64       `json:"wait_ns"`
	P50      int64       `json:"p50_ns"`
	P99      int64       `json:"p99_ns"`
	Max      int64       `json:"max_ns"`
	By       []DelayedBy `json:"by"`
}

// DelayedBy is a task that ran meanwhile.
type DelayedBy struct {
	What    string  `json:"what"`
	PID     *int32  `json:"pid"`
	TID     *int32  `json:"tid"`
	Name    *string `json:"name"`
	N       uint64  `json:"n"`
	WaitNS  int64   `json:"wait_ns"`
	Max     int64   `json:"max_ns"`
	RanLast uint64  `json:"ran_last"`
}

// Stack is a stack of no known cause.
type Stack struct {
	What   string   `json:"what"`
	Frames []string `json:"frames"`
	N      uint64   `json:"n"`
}

// Finding is a problem of the target that is worth fixing.
type Finding struct {
	ID       string         `json:"id"`
	Severity string         `json:"severity"`
	Message  string         `json:"message"`
	Advice   string         `json:"advice"`
	Cost     *FindingCost   `json:"cost"` // nil where it costs no CPU time, or that is not known
	Evidence map[string]any `json:"evidence"`
}

// FindingCost is CPU time as a fraction of one CPU.
type FindingCost struct {
	CPU   float64 `json:"cpu_fraction"`
	Least float64 `json:"cpu_least_fraction"`
	Most  float64 `json:"cpu_most_fraction"`
	How   string  `json:"how"`
}

// Judged is a kind of finding that was looked for, or why it was not.
type Judged struct {
	ID  string  `json:"id"`
	Why *string `json:"why"`
}

// Stops are the stops of the world of one kind. Statistics are nil when n is 0.
type Stops struct {
	Kind       string   `json:"kind"`
	N          int64    `json:"n"`
	Unfinished uint64   `json:"unfinished"`
	SumNS      *float64 `json:"sum_ns"`
	P50NS      *int64   `json:"p50_ns"`
	P99NS      *int64   `json:"p99_ns"`
	MaxNS      *int64   `json:"max_ns"`
}

// RuntimeStops is the runtime's account of its stops of the world of one kind. The sum and the longest
// are between the edges of the buckets of its histogram.
type RuntimeStops struct {
	Kind           string `json:"kind"`
	N              uint64 `json:"n"`
	SumLeastNS     int64  `json:"sum_least_ns"`
	SumMostNS      int64  `json:"sum_most_ns"`
	LongestLeastNS *int64 `json:"longest_least_ns"` // nil when n is 0
	LongestMostNS  *int64 `json:"longest_most_ns"`
}

// StopDelay counts delayed stops of the world by the thread that stopped last.
type StopDelay struct {
	TID      *int32  `json:"tid"` // nil = not known, or several
	Why      string  `json:"why"`
	Function *string `json:"function"`
	N        uint64  `json:"n"`
	SumNS    int64   `json:"sum_ns"`
	MaxNS    int64   `json:"max_ns"`
}
