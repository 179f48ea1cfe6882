package report

import (
	"cmp"
	"time"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/findings"
	"github.com/pinwatch/pinwatch/internal/host"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// Meta describes the surroundings of a window. Nothing in it comes from events.
type Meta struct {
	Version  string
	End      time.Time // the window's end by the wall clock, to match other logs; zero = not known
	Host     host.Info
	Target   Target
	Observer Observer
	// Pauses are without PausedNS, which the result has.
	Pauses Pauses
	// NoTopology is set where the machine does not describe how far its CPUs are apart.
	NoTopology bool
	Holders    []ListedThread // what holds each thread that lives; nil = not read
	Findings   []findings.Finding
	Judged     []findings.Judged
	CPU        CPU
	// RuntimeStops is the runtime's account of its stops of the world; nil = not read.
	RuntimeStops []RuntimeStops
	Warnings     []string // written before those of the result
}

// histBars is the number of bars of a cost's histogram.
const histBars = 10

// New makes the report of one window. It keeps no reference to memory of res that later events
// could change.
func New(meta Meta, res *correlate.Result) *Report {
	duration := res.End.Sub(res.Start).Seconds()
	seconds := duration - inSeconds(res.Paused)
	r := &Report{
		Schema:   SchemaID,
		Pinwatch: Pinwatch{Version: meta.Version},
		Host:     newHost(meta.Host),
		Target:   meta.Target,
		Window: Window{StartNS: int64(res.Start), EndNS: int64(res.End), DurationS: duration,
			ActiveS: seconds},
		Loss: Loss{
			Total:           res.Loss.Total(),
			ByKind:          counts(res.Loss.ByKind),
			Late:            res.Loss.Late,
			RecursionMisses: res.Loss.RecursionMisses(),
			Skipped:         counts(res.Loss.Skipped),
			Untracked:       res.Loss.Untracked,
			UntrackedTurns:  res.Loss.UntrackedTurns,
			BrokenLinks:     res.Loss.BrokenLinks,
		},
		Observer: meta.Observer,
		Pauses:   meta.Pauses,
		Counts:   newCounts(res.Counts),
		CPU:      CPU{ProcessNS: meta.CPU.ProcessNS, SysmonNS: meta.CPU.SysmonNS, RunNS: res.Counts.Run},
		Verdicts: newVerdicts(res),
		Costs:    make([]Cost, 0, len(res.Costs)),
		Moves: Moves{
			ByWhy:           counts(res.Moves.ByWhy),
			ByDistance:      counts(res.Moves.ByDistance),
			DistanceKnown:   !meta.NoTopology,
			PerSecond:       ratio(float64(res.Counts.Migrations), seconds),
			PerKiloSwitches: ratio(1000*float64(res.Counts.Migrations), float64(res.Counts.Switches)),
		},
		Threads:      make([]Thread, 0, len(res.Threads)),
		Omitted:      Omitted{Ended: res.ThreadsOmitted, Asleep: res.Sleepers.N},
		Locks:        Locks(res.Locks),
		Sites:        newSites(res.Sites, seconds),
		Causes:       make([]Cause, 0, len(res.Causes)),
		ParentDeaths: make([]ParentDeath, 0, len(res.ParentDeaths)),
		Stops:        newStops(res.Stops),
		StopDelays:   make([]StopDelay, 0, len(res.StopDelays)),
		RuntimeStops: meta.RuntimeStops,
		Calls:        make([]Call, 0, len(res.Calls)),
		Delays:       make([]Delay, 0, len(res.Delays)),
		Unclassified: make([]Stack, 0, len(res.Unclassified)),
		Findings:     make([]Finding, 0, len(meta.Findings)),
		Judged:       make([]Judged, 0, len(meta.Judged)),
		Warnings:     append(append([]string{}, meta.Warnings...), res.Warnings...),
	}
	if meta.Holders != nil {
		r.Holders = GroupThreads(meta.Holders, ByFunction)
	}
	if !meta.End.IsZero() {
		r.Window.WallEnd = ptr(meta.End.Format(time.RFC3339Nano))
	}
	for i := range res.Costs {
		r.Costs = append(r.Costs, newCost(&res.Costs[i], res.Loss))
	}
	if res.PausesKnown {
		r.Pauses.PausedNS = ptr(res.Paused)
	}
	for i := range res.Threads {
		row := newThread(&res.Threads[i], seconds)
		if res.PausesKnown {
			row.PausedNS = ptr(res.Threads[i].Paused)
		}
		if res.ThrottlesKnown {
			row.ThrottledNS = ptr(res.Threads[i].Throttled)
		}
		r.Threads = append(r.Threads, row)
	}
	for _, c := range res.Causes {
		r.Causes = append(r.Causes, Cause{What: c.What, Cause: c.Cause, Reason: known(c.Reason),
			Function: known(c.Function), N: c.N})
	}
	for _, d := range res.ParentDeaths {
		r.ParentDeaths = append(r.ParentDeaths,
			ParentDeath{Signal: d.Signal, Function: known(d.Function), Threads: d.Threads, Children: d.Children})
	}
	for _, d := range res.StopDelays {
		r.StopDelays = append(r.StopDelays, StopDelay{TID: known(d.TID), Why: d.Why, Function: known(d.Function),
			N: d.N, SumNS: d.Sum, MaxNS: d.Max})
	}
	for i := range res.Calls {
		r.Calls = append(r.Calls, newCall(&res.Calls[i], res.Counts.LockedThreads != nil))
	}
	for i := range res.Delays {
		r.Delays = append(r.Delays, newDelay(&res.Delays[i]))
	}
	for _, s := range res.Unclassified {
		r.Unclassified = append(r.Unclassified, Stack{What: s.What, Frames: append([]string{}, s.Frames...), N: s.N})
	}
	for _, f := range meta.Findings {
		r.Findings = append(r.Findings, Finding{ID: f.ID, Severity: f.Severity, Message: f.Message, Advice: f.Advice,
			Cost: (*FindingCost)(f.Cost), Evidence: f.Evidence})
	}
	for _, j := range meta.Judged {
		r.Judged = append(r.Judged, Judged{ID: j.ID, Why: known(j.Why)})
	}
	return r
}

// newStops is nil where stops were not looked for.
func newStops(stops []correlate.Stops) []Stops {
	if stops == nil {
		return nil
	}
	rows := make([]Stops, 0, len(stops))
	for i := range stops {
		s := &stops[i]
		row := Stops{Kind: s.Kind, N: s.Hist.N(), Unfinished: s.Unfinished}
		if row.N > 0 {
			row.SumNS = ptr(round(s.Hist.Mean() * float64(row.N)))
			row.P50NS, row.P99NS, row.MaxNS = ptr(s.Hist.Quantile(0.5)), ptr(s.Hist.Quantile(0.99)), ptr(s.Hist.Max())
		}
		rows = append(rows, row)
	}
	return rows
}

func newHost(h host.Info) Host {
	return Host{
		Kernel:         known(h.Kernel),
		Arch:           h.Arch,
		CPUs:           known(h.CPUs),
		Virtualization: cmp.Or(h.Virtualization, "unknown"),
		CPUModel:       known(h.CPUModel),
		Clocksource:    known(h.Clocksource),
		Mitigations:    h.Mitigations,
	}
}

func newCounts(c correlate.Counts) Counts {
	return Counts{
		Threads:             c.Threads,
		ThreadsCreated:      c.ThreadsCreated,
		ThreadsExited:       c.ThreadsExited,
		ThreadsKilled:       c.ThreadsKilled,
		ThreadsExitedLocked: clone(c.ThreadsExitedLocked),
		LockedThreads:       clone(c.LockedThreads),
		LockedThreadsMax:    clone(c.LockedThreadsMax),
		LockedByRuntime:     clone(c.LockedByRuntime),
		SigurgSent:          clone(c.SigurgSent),
		SigurgGenerated:     c.SigurgGenerated,
		SigurgCoalesced:     c.SigurgCoalesced,
		SigurgDelivered:     c.SigurgDelivered,
		SigurgForeign:       c.SigurgForeign,
		SigurgNotInjected:   clone(c.SigurgNotInjected),
		Switches:            c.Switches,
		Migrations:          c.Migrations,
	}
}

// newVerdicts gives one verdict for each of contract.Ranges, in that order, also for costs without
// a row.
func newVerdicts(res *correlate.Result) []Verdict {
	vs := make([]Verdict, 0, len(contract.Ranges))
	for _, rg := range contract.Ranges {
		v, lower, upper := contract.Verdict{Range: rg, Word: contract.TooFew}, contract.Verdict{}, contract.Verdict{}
		for i := len(res.Costs) - 1; i >= 0; i-- { // backwards: the row over all samples comes first, and decides
			c := &res.Costs[i]
			if c.ID != rg.Statement || c.Phase != rg.Phase || c.Locked != "" || c.Cause != "" {
				continue
			}
			switch j, _ := contract.Judge(c, res.Loss); c.Bound {
			case "lower":
				lower = j
			case "upper":
				upper = j
			default:
				v = j
			}
		}
		switch {
		case lower.Word != "" && upper.Word != "":
			v = contract.Between(lower, upper)
		case lower.Word != "": // lost records make a cost a lower bound
			v = lower
		case upper.Word != "":
			v = upper
		}
		vs = append(vs, Verdict{
			Statement: rg.Statement, Phase: rg.Phase, Claim: rg.Claim, RangeNS: [2]int64{rg.Lo, rg.Hi},
			Verdict: string(v.Word), Holds: v.Holds(), N: v.N,
		})
	}
	return vs
}

func ptr[T any](v T) *T { return &v }

// clone is a pointer to a copy; nil for nil.
func clone[T any](v *T) *T {
	if v == nil {
		return nil
	}
	return ptr(*v)
}

// known is nil for the zero value, which means "not known" in the arguments of New.
func known[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// ratio is a/b to six significant digits; nil where b is 0.
func ratio(a, b float64) *float64 {
	if b == 0 {
		return nil
	}
	return ptr(round(a / b))
}

// round keeps six significant digits: no number of a report is known better.
func round(v float64) float64 { return unit.Round(v, 6) }

// counts copies a map so that an empty one is {} in JSON.
func counts(m map[string]uint64) map[string]uint64 {
	out := make(map[string]uint64, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}
