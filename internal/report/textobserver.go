package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/unit"
)

// observer says what was lost and what observing cost, and whom.
func (p *page) observer(r *Report) {
	p.line()
	if r.lossy() {
		p.field("losses", bad, "see LOSSY RUN above")
	} else if r.Loss.BrokenLinks > 0 {
		p.field("losses", plain, "none", fmt.Sprintf("%s in threads' time lines: %s of all thread time is unknown", unit.Plural(r.Loss.BrokenLinks, "gap"), unit.Percent(r.unknownShare())))
	} else {
		p.field("losses", plain, "none")
	}

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
		parts = append(parts, "cost of its process not known")
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

// syscallHooks says by which hooks system calls were watched, and what that does to everybody's.
func (p *page) syscallHooks(r *Report) {
	hooks := r.Observer.Hooks
	taxing, fentry := syscallsBy(hooks, "tracepoint", "raw_tracepoint"), syscallsBy(hooks, "fentry")
	if len(taxing) > 0 {
		p.field("", notice, "While attached, every system call of every process is slower: "+strings.Join(taxing, ", ")+" use classic system-call tracepoints.")
	}
	switch {
	case len(fentry) > 0 && len(taxing) > 0:
		p.field("", plain, "By fentry, which slows nobody else's: "+strings.Join(fentry, ", ")+".")
	case len(fentry) > 0:
		p.field("", plain, "Nobody else's system calls are slower: "+strings.Join(fentry, ", ")+" use fentry.")
	case r.light():
		p.field("", plain, "Nobody's system calls are slower: none is watched (light).")
	}
}

// unknownShare is the part of all listed threads' time that nothing is known of.
func (r *Report) unknownShare() float64 {
	var unknown, all int64
	for _, t := range r.Threads {
		unknown += t.UnknownNS
		all += t.UnknownNS + t.RunNS + t.RunqNS + t.BlockedNS
	}
	return float64(unknown) / float64(max(all, 1))
}

// dearest is how many kernel programs the text lists; all are in JSON.
const dearest = 5

// programParts word the run time of each kernel program, the dearest in sum first.
func programParts(o Observer) []string {
	if o.Programs == nil {
		return []string{"run time of kernel programs not known: no BPF statistics, they need CAP_SYS_ADMIN"}
	}
	ps := slices.Clone(o.Programs)
	ps = slices.DeleteFunc(ps, func(p Program) bool { return p.NSPerRun == nil || p.Runs == 0 })
	slices.SortFunc(ps, func(a, b Program) int {
		return cmp.Or(cmp.Compare(float64(b.Runs)**b.NSPerRun, float64(a.Runs)**a.NSPerRun), strings.Compare(a.Name, b.Name))
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

// syscallsBy are the system calls that are watched in one of these ways. Any classic tracepoint on one puts the kernel on its slow path for
// every call (SYSCALL_WORK_SYSCALL_TRACEPOINT in include/linux/thread_info.h). Scheduler, signal and task events do not.
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
