package correlate

import "github.com/pinwatch/pinwatch/events"

// phase is one cost; the README says from where to where each goes.
type phase uint8

const (
	phaseCloneSyscall phase = iota
	phaseSpawn
	phaseRunqWait
	phaseStart
	phaseTotal
	phaseRuntime
	phaseExit
	phaseFree
	phaseSend
	phaseDeliver
	phaseHandler
	phaseKernelLower
	phaseKernelUpper
	phaseResume
	phaseHandoffWake
	phaseHandoffCPU
	phaseCount
)

// A phaseSpec says what a phase is called and what stands between its ends.
type phaseSpec struct {
	id, name, bound string
	oneThread       bool          // the interval is one thread's time, so part of it can be off the CPU
	own             []ownPart     // what of our own programs lies inside, always
	needs           []events.Kind // without all of these records a sample is missed
	warning         string        // what the number does not hold, always
	light           bool          // it is measured in light, too: no system call begins or ends it
}

// ownPart is what an interval holds of one of our own programs, named as the loader names those that time themselves: of its body, all
// or nothing, and of the kernel's way to it and back, by halves.
type ownPart struct {
	program      string
	body, halves uint64
}

// A program in the middle of an interval is all inside.
func within(program string) ownPart { return ownPart{program, 1, 2} }

// One that stamps the begin of an interval before it does its work, or the end after it.
func working(program string) ownPart { return ownPart{program, 1, 1} }

// One that stamps the end before its work, or the begin after it.
func passed(program string) ownPart { return ownPart{program, 0, 1} }

// One that runs in the middle and finds that there is nothing to do for it.
func idle(program string) ownPart { return ownPart{program, 0, 2} }

var phases = [phaseCount]phaseSpec{
	phaseCloneSyscall: {id: "P-8", name: "clone_syscall", oneThread: true,
		own:   []ownPart{passed("clone"), within("task_newtask"), within("sched_wakeup_new"), passed("clone_return")},
		needs: []events.Kind{events.CloneEnter, events.NewTask, events.CloneExit}},
	phaseSpawn: {id: "P-8", name: "spawn",
		own:   []ownPart{passed("clone"), within("task_newtask"), within("sched_wakeup_new"), passed("sched_switch_in")},
		needs: []events.Kind{events.CloneEnter, events.NewTask, events.Switch}},
	phaseRunqWait: {id: "P-8", name: "runq_wait", light: true,
		own:   []ownPart{working("sched_wakeup_new"), passed("sched_switch_in")},
		needs: []events.Kind{events.NewTask, events.Switch}},
	phaseStart: {id: "P-8", name: "start", oneThread: true,
		own: []ownPart{working("sched_switch_in"), idle("clone_return"), idle("sigaltstack"), within("sigaltstack"),
			passed("rt_sigprocmask")},
		needs: []events.Kind{events.NewTask, events.Switch, events.Sigaltstack, events.Sigmask}},
	phaseTotal: {id: "P-8", name: "total",
		own: []ownPart{passed("clone"), within("task_newtask"), within("sched_wakeup_new"), within("sched_switch_in"), idle("clone_return"),
			idle("sigaltstack"), within("sigaltstack"), passed("rt_sigprocmask")},
		needs: []events.Kind{events.CloneEnter, events.NewTask, events.Sigaltstack, events.Sigmask}},
	phaseRuntime: {id: "P-9", name: "runtime", oneThread: true,
		own:   []ownPart{working("rt_sigprocmask"), within("sigaltstack"), working("exit")},
		needs: []events.Kind{events.Sigmask, events.Sigaltstack, events.ExitEnter}},
	phaseExit: {id: "P-9", name: "exit", oneThread: true,
		own:   []ownPart{passed("exit"), within("sched_process_exit"), passed("sched_switch_out")},
		needs: []events.Kind{events.ExitEnter, events.Switch}},
	phaseFree: {id: "P-9", name: "free", light: true,
		needs: []events.Kind{events.ExitEnter, events.Switch, events.ProcessFree}},
	phaseSend: {id: "P-5", name: "send", oneThread: true,
		own:   []ownPart{passed("tgkill"), within("signal_generate"), passed("tgkill_return")},
		needs: []events.Kind{events.TgkillEnter, events.SignalGenerate, events.TgkillExit}},
	phaseDeliver: {id: "P-5", name: "deliver", oneThread: true, light: true,
		own:   []ownPart{working("signal_generate"), passed("signal_deliver")},
		needs: []events.Kind{events.TgkillEnter, events.SignalGenerate, events.SignalDeliver}},
	phaseHandler: {id: "P-5", name: "handler", oneThread: true,
		own:   []ownPart{working("signal_deliver"), passed("rt_sigreturn")},
		needs: []events.Kind{events.TgkillEnter, events.SignalGenerate, events.SignalDeliver, events.Sigreturn}},
	phaseKernelLower: {id: "P-5", name: "kernel", bound: "lower", oneThread: true,
		own:     []ownPart{passed("tgkill"), within("signal_generate"), passed("tgkill_return")},
		needs:   []events.Kind{events.TgkillEnter, events.SignalGenerate, events.TgkillExit, events.SignalDeliver},
		warning: unseenKernelTime},
	phaseKernelUpper: {id: "P-5", name: "kernel", bound: "upper",
		own:     []ownPart{passed("tgkill"), within("signal_generate"), passed("tgkill_return")},
		needs:   []events.Kind{events.TgkillEnter, events.SignalGenerate, events.TgkillExit, events.SignalDeliver},
		warning: unseenKernelTime},
	phaseResume: {id: "P-6", name: "resume", oneThread: true,
		own:   []ownPart{working("rt_sigreturn"), within("sched_waking"), passed("sched_switch_in")},
		needs: []events.Kind{events.Sigreturn, events.Park, events.Switch}},
	phaseHandoffWake: {id: "X-handoff", name: "wake", light: true,
		own:   []ownPart{passed("sched_switch_in")},
		needs: []events.Kind{events.Switch}},
	phaseHandoffCPU: {id: "X-handoff", name: "cpu", bound: "lower", light: true,
		own:   []ownPart{passed("sched_switch_out")},
		needs: []events.Kind{events.Switch}},
}

const unseenKernelTime = "tracepoints do not see the signal frame's set-up after delivery and the work of rt_sigreturn"

// sample is one interval that is complete.
type sample struct {
	phase phase
	group
	begin, end events.Time
	anchor     events.Time // the event that a window counts the sample by; 0 = begin
	off        int64       // ns off the CPU inside
	outs       uint32      // times off the CPU inside
	away       bool        // the first of them began before
	vague      bool        // off is not known
	sending    *signal     // of a send: whose it is
	late       bool        // of a hand-off: it begins with the switch-out
	moved      bool        // of a hand-off: the waking placed the thread on another CPU
}

// record adds the sample to the innermost window that holds it whole.
func (c *Correlator) record(s *sample) {
	from, to := s.begin, s.end
	if s.anchor != 0 {
		from, to = min(from, s.anchor), max(to, s.anchor)
	}
	if w := c.inner(from, to); w != nil {
		w.costs[s.phase].add(s)
	}
}

// begun counts an interval that begins, so that those which never end are known.
func (c *Correlator) begun(p phase, of group, at events.Time) {
	if w := c.inner(at, at); w != nil {
		w.costs[p].begin(of)
	}
}
