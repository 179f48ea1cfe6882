package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/findings"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/loader"
)

// windows writes the windows of one observation as they settle.
type windows struct {
	out      *output
	meta     report.Meta
	session  *loader.Session
	observer *observer
	begin    spent // at the start of the observation
	last     spent // at the start of the interval
	whole    *correlate.Result
	probe    *pinProbe // nil without --sites
	maxRate  int       // 0 = none

	to func(*correlate.Result, *report.Report) // see options.whole

	calibration *loader.Calibration // nil = none
	clocks      clocks              // at the start
}

// spent is what pinwatch has used up and missed at one moment, since attach.
type spent struct {
	at           time.Time
	cpu          cpuUsage
	missed, late uint64
}

func (w *windows) spent() (spent, error) {
	missed, err := w.observer.stats.Missed()
	return spent{at: time.Now(), cpu: usage(), missed: missed, late: w.observer.order.Late()}, err
}

// settled takes one window. The whole observation is kept until the observer's own cost is known.
func (w *windows) settled(r *correlate.Result) error {
	now, err := w.spent()
	if err != nil {
		return err
	}
	since := w.begin
	if r.Interval {
		since, w.last = w.last, now
	}
	r.Loss.RecursionMisses, r.Loss.Late = now.missed-since.missed, now.late-since.late
	if err := correlate.Validate(r); err != nil {
		r.Warnings = append(r.Warnings, "the numbers contradict each other, which is a defect of pinwatch: "+oneLine(err))
	}
	if !r.Interval {
		w.whole = r
		return nil
	}
	meta := w.about()
	programs, sampled := w.observer.stats.Sum()
	if sampled == 0 {
		programs = nil // refused, or not yet
	}
	meta.Observer = w.cost(programs, sampled, now.cpu.since(since.cpu), now.at.Sub(since.at), r)
	return w.out.interval(w.report(meta, r))
}

// about is the meta of a window that ends now.
func (w *windows) about() report.Meta {
	meta := w.meta
	meta.End = time.Now()
	if w.observer.ended {
		how := "ended while it was observed"
		meta.Target.Ended = &how
	}
	meta.Warnings = append(slices.Clip(meta.Warnings), readClocks().since(w.clocks)...)
	return meta
}

func (w *windows) final(statsErr error) error {
	meta := w.about()
	programs, sampled := w.observer.stats.Sum()
	switch {
	case errors.Is(statsErr, fs.ErrPermission):
		programs = nil
		meta.Warnings = append(meta.Warnings, "the kernel gives its BPF statistics only with CAP_SYS_ADMIN: what the programs cost the machine is not known; "+
			"bias_ns rests on the calibration before attach and on what the programs time themselves")
	case statsErr != nil:
		programs = nil
		meta.Warnings = append(meta.Warnings, fmt.Sprintf("what the programs cost is not known: %s", oneLine(statsErr)))
	}
	meta.Observer = w.cost(programs, sampled, usage().since(w.begin.cpu), time.Since(w.begin.at), w.whole)
	rep := w.report(meta, w.whole)
	if w.to != nil {
		w.to(w.whole, rep)
		return nil
	}
	return w.out.final(rep)
}

// cost is what observing a window cost.
func (w *windows) cost(programs []loader.ProgramStats, sampled, used, elapsed time.Duration, r *correlate.Result) report.Observer {
	o := observed(w.session, programs, sampled, used, elapsed)
	o.Aggregated = w.observer.sums != nil
	o.Probe = w.probed(programs, r)
	if w.calibration != nil {
		addOwn(&o, w.observer.own.Times(), *w.calibration)
	}
	return o
}

// probed is what the probe on LockOSThread cost: the breakpoint and, where the kernel has told, the program behind it.
func (w *windows) probed(programs []loader.ProgramStats, r *correlate.Result) *report.Probe {
	if w.probe == nil {
		return nil
	}
	p := &report.Probe{BreakpointNS: float64(w.probe.cost)}
	for _, s := range r.Sites {
		p.Hits += s.Calls
	}
	for _, s := range programs {
		if s.Name == loader.PinProbe && s.Runs > 0 {
			ns := p.BreakpointNS + float64(s.Runtime)/float64(s.Runs)
			p.HitNS = &ns
		}
	}
	return p
}

// report adds what the kernel says now of how each living thread is scheduled, and what is worth doing about it all.
func (w *windows) report(meta report.Meta, r *correlate.Result) *report.Report {
	about := findings.About{Affinity: map[int32][]int{}}
	if n := meta.Target.GOMAXPROCS; n != nil {
		about.GOMAXPROCS = *n
	}
	schedules := map[int32]procfs.Schedule{}
	for i := range r.Threads {
		if t := &r.Threads[i]; t.ExitedAt == 0 && procfs.ShowsOurNamespace() {
			s := procfs.ReadSchedule(w.session.Target.PID, t.TID)
			schedules[t.TID] = s
			if s.CPUs != nil {
				about.Affinity[t.TID] = s.CPUs
			}
		}
	}
	if n := w.observer.ring.Stacks.Dropped(); n > 0 {
		meta.Warnings = append(slices.Clip(meta.Warnings), fmt.Sprintf("more than %d different stacks: of %d the causes are unknown", events.MaxStacks, n))
	}
	switch {
	case r.Loss.Total() == 0:
	case w.maxRate > 0 && r.Loss.Total() == r.Loss.ByKind[events.Switch.String()]:
		meta.Warnings = append(slices.Clip(meta.Warnings), fmt.Sprintf("switches beyond --max-rate %d per second count as lost", w.maxRate))
	default:
		meta.Warnings = append(slices.Clip(meta.Warnings), "records were lost: use a larger --ring-size")
	}
	meta.Findings = findings.Find(r, about)
	rep := report.New(meta, r)
	for i := range rep.Threads {
		t := &rep.Threads[i]
		s := schedules[t.TID]
		t.Affinity, t.Nice, t.Policy = s.Affinity, s.Nice, s.Policy
	}
	return rep
}
