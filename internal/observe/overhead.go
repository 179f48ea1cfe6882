package observe

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/loader"
)

// Overhead holds the cost of observing a window, and the hooks that were used.
type Overhead struct {
	Hooks      map[string]string // as loader.Session.Hooks
	Aggregated bool              // most switches were added up in the kernel
	// Programs has the kernel's statistics of pinwatch's programs since attach, in the time
	// Sampled; nil = not known.
	Programs    []loader.ProgramStats
	Sampled     time.Duration
	CPUSeconds  float64       // of this process, and of the programs scaled from Sampled to Elapsed
	Elapsed     time.Duration // since the window's start, to a little after its end
	RSSAnon     *uint64       // anonymous memory of this process in bytes; nil = not known
	Probe       *ProbeCost    // nil without Sites
	Calibration *loader.Calibration
	// Timings are the programs' own measurements of their runs; nil without a calibration.
	Timings []loader.ProgramTime
}

// ProbeCost is the cost of the breakpoint on runtime.LockOSThread. The calling goroutine pays it.
type ProbeCost struct {
	Hits       uint64        // in the window
	Breakpoint time.Duration // of one hit: measured on this machine with an empty program
	ProgramNS  float64       // of pinwatch's program in one hit; 0 = none ran while BPF statistics were on
}

// usage holds pinwatch's CPU time and what it has missed since attach, at one moment.
type usage struct {
	at     time.Time
	cpu    time.Duration
	missed map[string]uint64 // by hook
	late   uint64
}

func (o *observation) usage() (usage, error) {
	missed, err := o.missed()
	return usage{at: time.Now(), cpu: cpuTime(), missed: missed, late: o.loop.order.Late()}, err
}

// cpuTime is the CPU time of this process, user and system.
func cpuTime() time.Duration {
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &ru); err != nil {
		panic(err) // cannot be: the arguments are valid
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// overhead returns the cost of observing a window, of which several targets share the most.
func (o *observation) overhead(
	r *correlate.Result, programs []loader.ProgramStats, sampled, used, elapsed time.Duration,
) Overhead {
	c := o.cost(programs, sampled, used, elapsed)
	c.Aggregated, c.Probe = o.cfg.Aggregate, o.probeCost(r, programs)
	return c
}

// cost returns the cost of observing. used is this process's CPU time in the elapsed time. programs
// are the kernel's statistics since attach, nil if it refused them; they were measured in the time
// sampled and are scaled.
func (s *sensor) cost(programs []loader.ProgramStats, sampled, used, elapsed time.Duration) Overhead {
	c := Overhead{Hooks: s.hooks, Programs: programs, CPUSeconds: used.Seconds(), Elapsed: elapsed, RSSAnon: rssAnon(),
		Calibration: s.calibration}
	if programs != nil {
		c.Sampled = sampled
	}
	if sampled > 0 {
		for _, p := range programs {
			c.CPUSeconds += p.Runtime.Seconds() * elapsed.Seconds() / sampled.Seconds()
		}
	}
	if c.Calibration != nil {
		c.Timings = s.times.Times()
	}
	return c
}

// probeCost is the cost of the breakpoint and, where the kernel's statistics have it, of the
// program behind it.
func (o *observation) probeCost(r *correlate.Result, programs []loader.ProgramStats) *ProbeCost {
	if o.probe == nil {
		return nil
	}
	c := &ProbeCost{Breakpoint: o.probe.cost}
	for _, s := range r.Sites {
		c.Hits += s.Calls
	}
	for _, s := range programs {
		if s.Name == loader.PinProbe && s.Runs > 0 {
			c.ProgramNS = float64(s.Runtime) / float64(s.Runs)
		}
	}
	return c
}

// setBias sets each cost's bias: how much longer pinwatch's programs have made a sample, ns. It
// stays nil where it was not counted which programs ran inside, or one of those has not been timed.
func setBias(costs []correlate.Cost, timings []loader.ProgramTime) {
	for i := range costs {
		costs[i].Bias = bias(&costs[i], timings)
	}
}

func bias(c *correlate.Cost, timings []loader.ProgramTime) *float64 {
	if c.Overhead == nil || c.Hist.N() == 0 {
		return nil
	}
	var ns float64
	for name, run := range c.Overhead {
		i := slices.IndexFunc(timings, func(t loader.ProgramTime) bool { return t.Name == name })
		if i < 0 {
			return nil
		}
		if dispatch := timings[i].DispatchNS; dispatch != nil {
			ns += float64(run.Halves) / 2 * *dispatch
		} else if run.Halves > 0 {
			return nil
		}
		switch {
		case run.Bodies == 0:
		case timings[i].N == 0:
			return nil
		default:
			ns += float64(run.Bodies) * timings[i].NS
		}
	}
	ns /= float64(c.Hist.N())
	return &ns
}

// rssAnon is this process's anonymous memory in bytes; nil when /proc does not have it.
func rssAnon() *uint64 {
	status, err := procfs.Self.Status()
	if err != nil {
		return nil
	}
	return status.RSSAnon
}

// startStats has the kernel keep statistics of the programs while the observation runs. stop ends
// that; fs.ErrPermission means that the kernel refuses them.
func startStats(ctx context.Context, st *loader.Stats) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- st.Run(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}
