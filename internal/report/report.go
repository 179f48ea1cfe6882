// Package report holds the models that pinwatch writes, and the formats that programs read:
//
//   - Report: one window of an observation. New makes it from a correlate.Result and its
//     surroundings.
//   - ThreadList: the threads of a process at one moment.
//   - Verdicts: the verdicts on the specification, and Baseline, the short form that later verdicts
//     are compared with.
//
// json.go, junit.go, markdown.go and html.go are a format each. Package text writes all models for
// people. JSON keys keep their names and meaning for the life of a schema; the file *.schema.json
// gives the meaning and unit of each.
//
// A value that is not known is null in JSON and a nil pointer or nil map here, never 0.
package report

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/pinwatch/pinwatch/correlate"
)

// SchemaID is the value of the key "schema".
const SchemaID = "pinwatch.report/v1"

// Schema is the JSON Schema (2020-12) that every report follows.
//
//go:embed report-v1.schema.json
var Schema []byte

// Report describes one window. The schema gives the meaning of each key; comments here add facts
// about the Go side.
type Report struct {
	Schema       string         `json:"schema"`
	Pinwatch     Pinwatch       `json:"pinwatch"`
	Host         Host           `json:"host"`
	Target       Target         `json:"target"`
	Window       Window         `json:"window"`
	Loss         Loss           `json:"loss"`
	Observer     Observer       `json:"observer"`
	Pauses       Pauses         `json:"pauses"`
	Counts       Counts         `json:"counts"`
	CPU          CPU            `json:"cpu"`
	Verdicts     []Verdict      `json:"verdicts"`
	Costs        []Cost         `json:"costs"`
	Moves        Moves          `json:"moves"`
	Threads      []Thread       `json:"threads"`
	Omitted      Omitted        `json:"threads_omitted"`
	Holders      []ThreadGroup  `json:"holders"` // nil = not read
	Locks        Locks          `json:"locks"`
	Sites        []Site         `json:"sites"` // nil without the probe on LockOSThread
	Causes       []Cause        `json:"causes"`
	ParentDeaths []ParentDeath  `json:"parent_deaths"`
	Stops        []Stops        `json:"stops"` // nil = not looked for
	StopDelays   []StopDelay    `json:"stop_delays"`
	RuntimeStops []RuntimeStops `json:"runtime_stops"` // nil = not read
	Calls        []Call         `json:"interrupted_calls"`
	Delays       []Delay        `json:"delays"`
	Unclassified []Stack        `json:"unclassified"`
	Findings     []Finding      `json:"findings"`
	Judged       []Judged       `json:"judged"`
	Warnings     []string       `json:"warnings"`
	Final        bool           `json:"final,omitempty"` // the whole, at the end of reports by interval
}

// Pinwatch is the program that wrote the report.
type Pinwatch struct {
	Version string `json:"version"`
}

// Host is host.Info with null for what is not known.
type Host struct {
	Kernel         *string           `json:"kernel"`
	Arch           string            `json:"arch"`
	CPUs           *int              `json:"cpus"`
	Virtualization string            `json:"virtualization"`
	CPUModel       *string           `json:"cpu_model"`
	Clocksource    *string           `json:"clocksource"`
	Mitigations    map[string]string `json:"mitigations"`
}

// Class is what two machines have in common on which the same costs are expected: all but the
// kernel.
func (h *Host) Class() string {
	cpus, model, clock := "?", "CPU not known", "clock not known"
	if h.CPUs != nil {
		cpus = strconv.Itoa(*h.CPUs)
	}
	if h.CPUModel != nil {
		model = *h.CPUModel
	}
	if h.Clocksource != nil {
		clock = *h.Clocksource
	}
	return strings.Join([]string{h.Arch, h.Virtualization, cpus + " × " + model, clock}, " · ")
}

// Words describes the machine in a few words.
func (h *Host) Words() []string {
	kernel, model := "", "CPU"
	if h.Kernel != nil {
		kernel = *h.Kernel
	}
	if h.CPUModel != nil {
		model = *h.CPUModel
	}
	parts := []string{strings.Join(strings.Fields("Linux "+kernel+" "+h.Arch), " ")}
	if h.CPUs != nil {
		parts = append(parts, fmt.Sprintf("%d × %s", *h.CPUs, model))
	}
	switch h.Virtualization {
	case "none":
		parts = append(parts, "bare metal")
	case "unknown":
	case "other":
		parts = append(parts, "virtual machine")
	default:
		parts = append(parts, h.Virtualization+" guest")
	}
	if h.Clocksource != nil {
		parts = append(parts, "clock "+*h.Clocksource)
	}
	return parts
}

// Target is the observed process. Nil = not known.
type Target struct {
	PID        int     `json:"pid"` // in pinwatch's PID namespace
	Exe        *string `json:"exe"` // path of the executable in the target's mount namespace
	GoVersion  *string `json:"go_version"`
	Cgo        *bool   `json:"cgo"`
	PIE        *bool   `json:"pie"`
	Stripped   *bool   `json:"stripped"`
	Offsets    *string `json:"offsets"` // dwarf, table, file (the user's), none
	GOMAXPROCS *int    `json:"gomaxprocs"`
	Ended      *string `json:"ended"` // how it ended inside the window, in words; nil while it lives

	// A process that executes another program is one target before and another one after.
	StartedNS    *int64     `json:"started_ns"`    // when its program began; nil also where pinwatch did not see that
	ExecutedFrom *Execution `json:"executed_from"` // the program that executed this one
	Executes     *Execution `json:"executes"`      // the program that this one executed, with which the window ends
	PIDHost      *int       `json:"pid_host"`      // in the initial PID namespace
	NSPID        *int       `json:"ns_pid"`        // in its own PID namespace, the innermost
	Cgroup       *string    `json:"cgroup"`        // path in the hierarchy, of v1 that of its first controller
	Container    *Container `json:"container"`     // nil also where it is in none

	Plugins       []string `json:"plugins"`        // files of code that it has loaded
	OtherRuntimes []string `json:"other_runtimes"` // files of Go libraries whose own runtime is not observed
}

// Execution is a program that the same process ran before or after this one.
type Execution struct {
	Exe     *string `json:"exe"`
	StartNS *int64  `json:"start_ns"` // of the window of its report; nil: it was not observed
}

// Container is where a process runs, by the path of its cgroup. Nil = not known, or none.
type Container struct {
	ID      *string `json:"id"`
	Name    *string `json:"name"`
	Runtime *string `json:"runtime"`
	PodUID  *string `json:"pod_uid"`
	Unit    *string `json:"unit"`
}

// Window is the time that the numbers cover.
type Window struct {
	StartNS   int64   `json:"start_ns"`
	EndNS     int64   `json:"end_ns"`
	DurationS float64 `json:"duration_s"`
	ActiveS   float64 `json:"active_s"` // rates are per these
	WallEnd   *string `json:"wall_end"`
}

// Pauses are the times in which the target was not allowed to run. Nil = not known.
type Pauses struct {
	PausedNS     *int64  `json:"paused_ns"`
	SuspendedNS  *int64  `json:"suspended_ns"`
	StolenNS     *int64  `json:"stolen_ns"`
	Quota        *Quota  `json:"quota"` // nil: there is none, or it is not known
	QuotaUnknown *string `json:"quota_unknown"`
}

// Quota is the tightest quota of CPU time that holds for the target, and its use in the window.
type Quota struct {
	Cgroup           string  `json:"cgroup"`
	LimitNS          int64   `json:"limit_ns"`
	PeriodNS         int64   `json:"period_ns"`
	CPUs             float64 `json:"cpus"`
	Periods          uint64  `json:"periods"`
	ThrottledPeriods uint64  `json:"throttled_periods"`
	ThrottledCPUNS   int64   `json:"throttled_cpu_ns"`
	Groups           int     `json:"groups"`
}

// Loss counts what pinwatch missed.
type Loss struct {
	Total           uint64            `json:"total"`
	ByKind          map[string]uint64 `json:"by_kind"`
	Late            uint64            `json:"late"`
	RecursionMisses uint64            `json:"recursion_misses"`
	Skipped         map[string]uint64 `json:"skipped"`
	Untracked       uint64            `json:"untracked_threads"`
	UntrackedTurns  uint64            `json:"untracked_switches"`
	BrokenLinks     uint64            `json:"broken_links"`
}

// Missed counts records and program runs that were missed.
func (l *Loss) Missed() uint64 { return l.Total + l.Late + l.RecursionMisses + l.UntrackedTurns }

// Lossy is true when records or program runs were missed so that no count or verdict is reliable.
func (r *Report) Lossy() bool {
	l := correlate.Loss{ByKind: r.Loss.ByKind, Late: r.Loss.Late, Skipped: r.Loss.Skipped, Untracked: r.Loss.Untracked,
		UntrackedTurns: r.Loss.UntrackedTurns}
	return l.Lossy()
}

// Observer is the cost of observing, and the hooks that were used.
type Observer struct {
	// Hooks gives the way in which each hook is attached: "fentry", "tracepoint" (classic; on a
	// system call it slows every system call of every process), "tp_btf", "raw_tracepoint", "iter",
	// "off". Nil = not known.
	Hooks        map[string]string `json:"hooks"`
	Aggregated   bool              `json:"aggregated"` // most switches were added up in the kernel
	Programs     []BPFProgram      `json:"programs"`   // nil without BPF statistics: refused, or not asked for
	CPUSeconds   *float64          `json:"cpu_s"`
	CPUFraction  *float64          `json:"cpu_fraction"` // of one CPU
	RSSAnonBytes *uint64           `json:"rss_anon_bytes"`
	// how long BPF statistics were on; they cost time themselves
	StatsSampledS *float64      `json:"stats_sampled_s"`
	Probe         *Probe        `json:"probe"` // nil without the probe on LockOSThread
	Overhead      []ProgramTime `json:"own"`   // nil = not measured
	ClockReadNS   *float64      `json:"clock_read_ns"`
	ClockStepNS   *float64      `json:"clock_step_ns"`
}

// Probe is the cost of the breakpoint on runtime.LockOSThread, which the calling goroutine pays.
type Probe struct {
	Hits         uint64  `json:"hits"`          // in the window
	BreakpointNS float64 `json:"breakpoint_ns"` // of one, CPU time: measured on this machine with an empty program
	// with pinwatch's program; nil when it did not run while BPF statistics were on
	HitNS *float64 `json:"hit_ns"`
}

// ProgramTime is the run time of one of pinwatch's kernel programs in the target's way. bias_ns is
// the sum of such times.
type ProgramTime struct {
	Name       string   `json:"name"`
	Timed      int      `json:"timed"`       // runs
	NS         *float64 `json:"ns"`          // nil when none was timed
	DispatchNS *float64 `json:"dispatch_ns"` // nil when not attached
}

// BPFProgram is the cost of one of pinwatch's kernel programs, from the kernel's BPF statistics.
type BPFProgram struct {
	Name     string   `json:"name"`
	Runs     uint64   `json:"runs"`       // while statistics were on
	NSPerRun *float64 `json:"ns_per_run"` // nil when it did not run then
	Missed   uint64   `json:"missed"`     // runs the kernel skipped since attach; they are in loss.recursion_misses
}

// CPU is the CPU time of the process in the window.
type CPU struct {
	ProcessNS *int64 `json:"process_ns"` // by the kernel's own account; nil = not known
	SysmonNS  *int64 `json:"sysmon_ns"`  // the same of sysmon
	RunNS     int64  `json:"run_ns"`     // between switches
}

// Counts are exact event counts of the window.
type Counts struct {
	Threads             uint64  `json:"threads"`
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
	LockedThreads       *uint64 `json:"locked_threads"`
	LockedThreadsMax    *uint64 `json:"locked_threads_max"`
	LockedByRuntime     *uint64 `json:"locked_threads_runtime"`
}

// Moves splits the migrations.
type Moves struct {
	ByWhy           map[string]uint64 `json:"by_why"`
	ByDistance      map[string]uint64 `json:"by_distance"`
	DistanceKnown   bool              `json:"distance_known"` // false: on this machine all are unknown
	PerSecond       *float64          `json:"per_s"`
	PerKiloSwitches *float64          `json:"per_1000_switches"`
}
