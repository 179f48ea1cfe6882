// Package windowreport turns an observed window into a report. It is the only package that has
// both: observe knows no format, and report knows no kernel.
package windowreport

import (
	"path/filepath"
	"time"

	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/report"
)

// New makes the report of a window. version is pinwatch's.
func New(version string, w *observe.Window) *report.Report {
	found, judged := w.Findings()
	r := report.New(report.Meta{
		Version: version, End: w.End, Host: w.Host, Target: target(&w.Target), Observer: observer(&w.Overhead),
		Pauses: pauses(&w.Pauses), NoTopology: w.NoTopology, Holders: held(w.Holders),
		Findings: found, Judged: judged, Warnings: w.Warnings,
		RuntimeStops: runtimeStops(w.RuntimeStops),
		CPU:          report.CPU{ProcessNS: nanoseconds(w.CPU.Process), SysmonNS: nanoseconds(w.CPU.Sysmon)},
	}, w.Result)
	for i := range r.Threads {
		t := &r.Threads[i]
		s := w.Schedules[t.TID]
		t.Affinity, t.Nice, t.Policy = s.Affinity, s.Nice, s.Policy
	}
	return r
}

// nanoseconds is nil for nil.
func nanoseconds(d *time.Duration) *int64 {
	if d == nil {
		return nil
	}
	ns := d.Nanoseconds()
	return &ns
}

// held is nil where the holders were not read.
func held(list []observe.Holder) (rows []report.ListedThread) {
	for i := range list {
		h := &list[i]
		row := report.ListedThread{TID: h.TID, Role: h.Role, Lock: h.Lock,
			Held: report.NewHeld(h.Use, h.Function, h.Via, h.Call, h.CFunc)}
		if h.WChan != "" {
			row.WChan = &h.WChan
		}
		rows = append(rows, row)
	}
	return rows
}

// runtimeStops is nil where the account was not read.
func runtimeStops(list []goruntime.Stops) (rows []report.RuntimeStops) {
	for i := range list {
		all := &list[i].All
		row := report.RuntimeStops{Kind: list[i].Kind, N: all.N, SumLeastNS: all.Least, SumMostNS: all.Most}
		if all.N > 0 {
			row.LongestLeastNS, row.LongestMostNS = &all.LongestLeast, &all.LongestMost
		}
		rows = append(rows, row)
	}
	return rows
}

func pauses(p *observe.Pauses) report.Pauses {
	suspended := int64(p.Suspended)
	row := report.Pauses{SuspendedNS: &suspended}
	if p.Stolen != nil {
		stolen := int64(*p.Stolen)
		row.StolenNS = &stolen
	}
	if p.QuotaErr != nil {
		why := p.QuotaErr.Error()
		row.QuotaUnknown = &why
	}
	if q := p.Quota; q != nil {
		row.Quota = &report.Quota{Cgroup: q.Group, LimitNS: int64(q.Limit), PeriodNS: int64(q.Period), CPUs: q.CPUs(),
			Periods: q.Periods, ThrottledPeriods: q.Throttled, ThrottledCPUNS: int64(q.Time), Groups: q.Groups}
	}
	return row
}

func target(t *observe.Target) report.Target {
	target := report.Target{PID: t.PID}
	if t.Info != nil {
		target = Target(t.PID, t.Info)
		target.Plugins, target.OtherRuntimes = t.Plugins, t.OtherRuntimes
	}
	if t.Exe != "" {
		target.Exe = &t.Exe
	}
	if t.Ended {
		how := "ended while it was observed"
		target.Ended = &how
	}
	if t.Executes != nil {
		how := "executed another program"
		target.Ended = &how
	}
	target.ExecutedFrom, target.Executes = execution(t.ExecutedFrom), execution(t.Executes)
	if t.Started != 0 {
		started := int64(t.Started)
		target.StartedNS = &started
	}
	if t.HostPID != 0 {
		target.PIDHost = &t.HostPID
	}
	return target
}

// execution is nil for nil.
func execution(e *observe.Execution) *report.Execution {
	if e == nil {
		return nil
	}
	row := &report.Execution{}
	if e.Exe != "" {
		row.Exe = &e.Exe
	}
	if e.Start != 0 {
		start := int64(e.Start)
		row.StartNS = &start
	}
	return row
}

// Target describes a Go program.
func Target(pid int, info *goruntime.Info) report.Target {
	offsets, exe := info.OffsetsFrom, filepath.Base(info.Exe)
	if offsets == "" {
		offsets = "none"
	}
	t := report.Target{
		PID: pid, Exe: &exe, GoVersion: known(info, "GoVersion", &info.GoVersion), Cgo: known(info, "CGO", &info.CGO),
		PIE: known(info, "PIE", &info.PIE), Stripped: known(info, "Stripped", &info.Stripped), Offsets: &offsets,
	}
	if exe == "/" { // procfs.NoName
		t.Exe = nil
	}
	if info.GOMAXPROCS > 0 {
		t.GOMAXPROCS = &info.GOMAXPROCS
	}
	return t
}

// known returns the value of a field of info, or nil if it could not be read.
func known[T any](info *goruntime.Info, field string, value *T) *T {
	if info.Unknown[field] != nil {
		return nil
	}
	return value
}

func observer(o *observe.Overhead) report.Observer {
	row := report.Observer{
		Hooks: o.Hooks, Aggregated: o.Aggregated, CPUSeconds: &o.CPUSeconds, RSSAnonBytes: o.RSSAnon,
		Probe: probe(o.Probe),
	}
	if o.Elapsed > 0 {
		fraction := o.CPUSeconds / o.Elapsed.Seconds()
		row.CPUFraction = &fraction
	}
	if o.Programs != nil {
		row.Programs = programs(o)
		seconds := o.Sampled.Seconds()
		row.StatsSampledS = &seconds
	}
	for _, t := range o.Timings {
		timing := report.ProgramTime{Name: t.Name, Timed: t.N, DispatchNS: t.DispatchNS}
		if t.N > 0 {
			timing.NS = &t.NS
		}
		row.Overhead = append(row.Overhead, timing)
	}
	if c := o.Calibration; c != nil {
		row.ClockReadNS, row.ClockStepNS = &c.ClockRead, &c.ClockStep
	}
	return row
}

func programs(o *observe.Overhead) []report.BPFProgram {
	rows := make([]report.BPFProgram, 0, len(o.Programs))
	for _, p := range o.Programs {
		row := report.BPFProgram{Name: p.Name, Runs: p.Runs, Missed: p.Missed}
		if p.Runs > 0 {
			ns := float64(p.Runtime) / float64(p.Runs)
			row.NSPerRun = &ns
		}
		rows = append(rows, row)
	}
	return rows
}

func probe(c *observe.ProbeCost) *report.Probe {
	if c == nil {
		return nil
	}
	row := &report.Probe{Hits: c.Hits, BreakpointNS: float64(c.Breakpoint)}
	if c.ProgramNS > 0 {
		ns := row.BreakpointNS + c.ProgramNS
		row.HitNS = &ns
	}
	return row
}
