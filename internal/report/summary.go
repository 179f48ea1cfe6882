package report

import _ "embed"

// SummaryID and GroupID are values of the key "schema".
const (
	SummaryID = "pinwatch.summary/v1"
	GroupID   = "pinwatch.group/v1"
)

// SummarySchema and GroupSchema are the JSON Schemas (2020-12) of summaries and groups.
var (
	//go:embed summary-v1.schema.json
	SummarySchema []byte
	//go:embed group-v1.schema.json
	GroupSchema []byte
)

// Summary describes many processes that were observed together. Package summary makes it. The schema
// gives the meaning of each key.
type Summary struct {
	Schema      string           `json:"schema"`
	Pinwatch    Pinwatch         `json:"pinwatch"`
	Host        Host             `json:"host"`
	Window      GroupWindow      `json:"window"`
	Processes   ProcessCounts    `json:"processes"`
	Incomplete  Incomplete       `json:"incomplete"`
	Loss        GroupLoss        `json:"loss"`
	Observer    *GroupObserver   `json:"observer"` // nil = not measured
	Sums        Sums             `json:"sums"`
	Peaks       Peaks            `json:"peaks"`
	Findings    []GroupFinding   `json:"findings"`
	NotJudged   []GroupNotJudged `json:"not_judged"`
	Executables []Executable     `json:"executables"`
	Verdicts    []Verdict        `json:"verdicts"`
	Costs       []Cost           `json:"costs"`
	Largest     []ProcessRow     `json:"largest"`
	Omitted     uint64           `json:"largest_omitted"`
	Passed      []Named          `json:"not_go"`
	Warnings    []string         `json:"warnings"`
}

// GroupWindow is from the first instant of the first process's window to the last of the last.
type GroupWindow struct {
	StartNS   int64   `json:"start_ns"`
	EndNS     int64   `json:"end_ns"`
	DurationS float64 `json:"duration_s"`
	WallEnd   *string `json:"wall_end"`
}

// ProcessCounts counts processes that were observed. A program that a process executes counts as
// another one.
type ProcessCounts struct {
	Observed    uint64 `json:"observed"`
	Executables uint64 `json:"executables"` // without Go's build tools
	BuildTools  uint64 `json:"go_build_tools"`
	Complete    uint64 `json:"complete"`
	Judged      uint64 `json:"judged"` // some kind of finding was looked for
	WithError   uint64 `json:"with_error"`
	WithWarn    uint64 `json:"with_warn"`
	WithInfo    uint64 `json:"with_info"`
}

// Incomplete counts processes of which something is missing. One can be in several counts.
type Incomplete struct {
	Began          uint64   `json:"began_before"`
	Living         uint64   `json:"living"`
	Lossy          uint64   `json:"lossy"`
	Skipped        uint64   `json:"skipped_runs"`
	KernelSideOnly uint64   `json:"kernel_side_only"`
	LocksUnknown   uint64   `json:"locks_unknown"`
	NoRoom         uint64   `json:"no_room"`       // up to so many
	SkippedExecs   *uint64  `json:"skipped_execs"` // up to so many processes were not seen; nil = not known
	InPart         []Reason `json:"in_part"`       // of those that were chosen by PID
	Failed         []Reason `json:"not_observed"`
}

// Reason counts processes by what stood in the way of observing them.
type Reason struct {
	Kind      string `json:"kind"`
	Why       string `json:"why"` // the same for all of a kind
	Processes uint64 `json:"processes"`
}

// LostExec is the Kind of a Reason: a process executed a program, and the record of that was lost.
const LostExec = "lost_exec"

// GroupLoss is the sum of the processes' losses.
type GroupLoss struct {
	Total          uint64            `json:"total"`
	ByKind         map[string]uint64 `json:"by_kind"`
	Late           uint64            `json:"late"`
	Untracked      uint64            `json:"untracked_threads"`
	UntrackedTurns uint64            `json:"untracked_switches"`
	BrokenLinks    uint64            `json:"broken_links"`
	// Skipped are at most so many runs: the kernel counts them for the machine, so those while several
	// windows were open are in it several times.
	Skipped map[string]uint64 `json:"skipped"`
}

// GroupObserver is the cost of observing all of them.
type GroupObserver struct {
	Hooks        map[string]string `json:"hooks"` // as in Observer
	CPUSeconds   *float64          `json:"cpu_s"`
	CPUFraction  *float64          `json:"cpu_fraction"`
	RSSAnonBytes *uint64           `json:"rss_anon_bytes"`
}

// Sums are counts and times that are added over processes. A count that some processes do not have is
// the sum over the others, and nil if none has it.
type Sums struct {
	ThreadsCreated      uint64  `json:"threads_created"`
	ThreadsExited       uint64  `json:"threads_exited"`
	ThreadsKilled       uint64  `json:"threads_killed"`
	ThreadsExitedLocked *uint64 `json:"threads_exited_locked"`
	SigurgSent          *uint64 `json:"sigurg_sent"`
	SigurgGenerated     uint64  `json:"sigurg_generated"`
	SigurgCoalesced     uint64  `json:"sigurg_coalesced"`
	SigurgDelivered     uint64  `json:"sigurg_delivered"`
	SigurgForeign       uint64  `json:"sigurg_foreign"`
	SigurgNotInjected   *uint64 `json:"sigurg_not_injected"`
	Switches            uint64  `json:"switches"`
	Migrations          uint64  `json:"migrations"`
	Handoffs            *uint64 `json:"handoffs"`
	ThreadCostNS        *uint64 `json:"thread_cost_ns"`
	RunNS               uint64  `json:"run_ns"`
	RunqNS              uint64  `json:"runq_ns"`
	// Unknown counts the processes that do not have it, by key.
	Unknown map[string]uint64 `json:"unknown"`
}

// Peaks are the most of any one process. Nil = not known of any.
type Peaks struct {
	Threads       *Peak `json:"threads"`
	LockedThreads *Peak `json:"locked_threads"`
}

// Peak is a number of one process.
type Peak struct {
	N     uint64  `json:"n"`
	Bound *string `json:"bound"`
	ProcessID
}

// ProcessID tells one report of a group from the others.
type ProcessID struct {
	PID     int     `json:"pid"`
	StartNS int64   `json:"start_ns"` // of its window
	Exe     *string `json:"exe"`
	// Container is the name of the one that it is in, or else its id, or the uid of its pod; nil = none is known.
	Container *string `json:"container"`
}

// GroupFinding is one kind of finding in all processes.
type GroupFinding struct {
	ID          string             `json:"id"`
	Severity    string             `json:"severity"`
	Findings    uint64             `json:"findings"`
	Processes   uint64             `json:"processes"`
	Executables []Named            `json:"executables"`
	Cost        *GroupFindingCost  `json:"cost"` // nil where none has a cost
	Worst       GroupFindingDetail `json:"worst"`
}

// Named counts the processes of an executable.
type Named struct {
	Name      string `json:"name"`
	Processes uint64 `json:"processes"`
}

// GroupFindingCost is the CPU time that findings of one kind cost together.
type GroupFindingCost struct {
	CPUSeconds float64 `json:"cpu_s"`
	Findings   uint64  `json:"findings"` // that have a cost
}

// GroupFindingDetail is one finding and the process it is in.
type GroupFindingDetail struct {
	ProcessID
	Message string `json:"message"`
	Advice  string `json:"advice"`
}

// GroupNotJudged is a kind of finding that was not looked for in some processes.
type GroupNotJudged struct {
	ID        string `json:"id"`
	Processes uint64 `json:"processes"`
	Why       string `json:"why"` // the most frequent reason
}

// Executable is all processes of one executable.
type Executable struct {
	Name      string            `json:"name"`
	Kind      string            `json:"kind"`  // program, go_build_tools, others
	Tools     map[string]uint64 `json:"tools"` // of Go's build tools: processes by tool; else nil
	Processes uint64            `json:"processes"`
	Lossy     uint64            `json:"lossy"`
	Sums      Sums              `json:"sums"`
	Threads   *uint64           `json:"threads_max"`
	Findings  []string          `json:"findings"`
	Costs     []Cost            `json:"costs"`
}

// ProcessRow is one process in a line.
type ProcessRow struct {
	ProcessID
	DurationS  float64  `json:"duration_s"`
	Ended      *string  `json:"ended"`
	GoVersion  *string  `json:"go_version"`
	Lossy      bool     `json:"lossy"`
	ThreadsMax uint64   `json:"threads_max"`
	Sums       Sums     `json:"sums"`
	Findings   []string `json:"findings"`
}

// Lossy is true when records of some processes were missed.
func (s *Summary) Lossy() bool { return s.Incomplete.Lossy > 0 }

// MissedExecs is up to how many processes pinwatch did not see begin, as far as that is known.
func (s *Summary) MissedExecs() uint64 {
	if n := s.Incomplete.SkippedExecs; n != nil {
		return *n
	}
	return 0
}

// LostExecs is how many processes executed a program of which the record was lost.
func (s *Summary) LostExecs() (n uint64) {
	for _, f := range s.Incomplete.Failed {
		if f.Kind == LostExec {
			n += f.Processes
		}
	}
	return n
}

// NothingLost reports whether everything was seen of each process, and each process.
func (s *Summary) NothingLost() bool { return !s.Lossy() && s.MissedExecs()+s.LostExecs() == 0 }

// Report is a report with what a summary has of one: the machine, costs, verdicts, losses and hooks.
func (s *Summary) Report() *Report {
	r := &Report{Host: s.Host, Verdicts: s.Verdicts, Costs: s.Costs, Loss: Loss{Total: s.Loss.Total, ByKind: s.Loss.ByKind,
		Late: s.Loss.Late, Untracked: s.Loss.Untracked, UntrackedTurns: s.Loss.UntrackedTurns, Skipped: s.Loss.Skipped,
		BrokenLinks: s.Loss.BrokenLinks}}
	for _, n := range s.Loss.Skipped {
		r.Loss.RecursionMisses += n
	}
	if o := s.Observer; o != nil {
		r.Observer = Observer{Hooks: o.Hooks, CPUSeconds: o.CPUSeconds, CPUFraction: o.CPUFraction,
			RSSAnonBytes: o.RSSAnonBytes}
	}
	return r
}
