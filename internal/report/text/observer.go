package text

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// observer writes the losses and the cost of observing.
func (p *page) observer(r *report.Report) {
	p.line()
	p.losses(r)
	o := r.Observer
	parts := []string{"pinwatch " + r.Pinwatch.Version}
	if o.CPUFraction != nil {
		parts = append(parts, unit.Percent(*o.CPUFraction)+" of one CPU")
	}
	if o.CPUSeconds != nil {
		parts = append(parts, unit.Duration(1e9**o.CPUSeconds)+" CPU time")
	}
	if o.RSSAnonBytes != nil {
		parts = append(parts, unit.Bytes(*o.RSSAnonBytes)+" memory")
	}
	if len(parts) == 1 {
		parts = append(parts, "the cost of its process is not known")
	}
	p.field("observer", plain, parts...)
	p.field("", plain, programParts(o)...)
	if o.Aggregated {
		p.field("", plain, "context switches were added up in the kernel (--aggregate)")
	}
	if o.Probe != nil {
		cost := unit.Duration(o.Probe.BreakpointNS) + " each for the breakpoint alone, measured here"
		if o.Probe.HitNS != nil {
			cost = unit.Duration(*o.Probe.HitNS) + " each, measured here"
		}
		p.field("", notice, "probe on LockOSThread: "+unit.Plural(o.Probe.Hits, "hit"), cost)
	}
	p.syscallHooks(r)
}

// syscallHooks writes the hooks on system calls, and which processes they slow down.
func (p *page) syscallHooks(r *report.Report) {
	hooks := r.Observer.Hooks
	classic, fentry := syscallsBy(hooks, "tracepoint", "raw_tracepoint"), syscallsBy(hooks, "fentry")
	if len(classic) > 0 {
		p.field("", notice, "While attached, every system call of every process is slower: "+
			strings.Join(classic, ", ")+" use classic system-call tracepoints.")
	}
	switch {
	case len(fentry) > 0 && len(classic) > 0:
		p.field("", plain, "Attached by fentry, which slows no other process: "+strings.Join(fentry, ", ")+".")
	case len(fentry) > 0:
		p.field("", plain, "System calls of other processes are not slower: "+strings.Join(fentry, ", ")+" use fentry.")
	case light(r):
		p.field("", plain, "System calls are not slower in any process: none is watched (light).")
	}
}

// dearest limits how many kernel programs the text lists. All are in JSON.
const dearest = 5

// programParts lists the run time of the kernel programs with the highest sum.
func programParts(o report.Observer) []string {
	if o.Programs == nil {
		return []string{"run time of kernel programs not known: BPF statistics need CAP_SYS_ADMIN"}
	}
	ps := slices.Clone(o.Programs)
	ps = slices.DeleteFunc(ps, func(p report.BPFProgram) bool { return p.NSPerRun == nil || p.Runs == 0 })
	slices.SortFunc(ps, func(a, b report.BPFProgram) int {
		return cmp.Or(cmp.Compare(float64(b.Runs)**b.NSPerRun, float64(a.Runs)**a.NSPerRun),
			strings.Compare(a.Name, b.Name))
	})
	if len(ps) == 0 {
		return []string{"no kernel program ran while BPF statistics were on"}
	}
	var parts []string
	var rest float64
	for i, p := range ps {
		if i >= dearest {
			rest += float64(p.Runs) * *p.NSPerRun
			continue
		}
		parts = append(parts, fmt.Sprintf("%s %s ×%s", p.Name, unit.Duration(*p.NSPerRun), unit.SixRunes(p.Runs)))
	}
	if n := len(ps) - dearest; n > 0 {
		parts = append(parts, fmt.Sprintf("%s, together %s", unit.Plural(n, "other program"), unit.Duration(rest)))
	}
	parts[0] = "per run: " + parts[0]
	if o.StatsSampledS != nil {
		parts = append(parts, "sampled for "+unit.Duration(1e9**o.StatsSampledS))
	}
	return parts
}

// syscallsBy lists the system calls that are watched in one of these ways. A classic tracepoint on
// any system call puts the kernel on its slow path for all of them (SYSCALL_WORK_SYSCALL_TRACEPOINT
// in include/linux/thread_info.h). Scheduler, signal and task events do not.
func syscallsBy(hooks map[string]string, ways ...string) (names []string) {
	for name, how := range hooks {
		family, _, _ := strings.Cut(name, "_")
		onSyscall := family != "sched" && family != "signal" && family != "task"
		if onSyscall && slices.Contains(ways, how) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
