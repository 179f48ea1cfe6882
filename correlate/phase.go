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
	oneThread       bool // the interval is one thread's time, so part of it can be off the CPU
	// Our own programs that run once inside, by kernel hook. The program at an enter has done its work when its interval begins.
	programs []string
	needs    []events.Kind // without all of these records a sample is missed
	warning  string        // what the number does not hold, always
	light    bool          // it is measured in light, too: no system call begins or ends it
}

var phases = [phaseCount]phaseSpec{
	phaseCloneSyscall: {id: "P-8", name: "clone_syscall", oneThread: true,
		programs: []string{"task_newtask", "sched_wakeup_new"},
		needs:    []events.Kind{events.CloneEnter, events.NewTask, events.CloneExit}},
	phaseSpawn: {id: "P-8", name: "spawn",
		programs: []string{"task_newtask", "sched_wakeup_new"},
		needs:    []events.Kind{events.CloneEnter, events.NewTask, events.Switch}},
	phaseRunqWait: {id: "P-8", name: "runq_wait", light: true,
		programs: []string{"sched_wakeup_new"},
		needs:    []events.Kind{events.NewTask, events.Switch}},
	phaseStart: {id: "P-8", name: "start", oneThread: true,
		programs: []string{"sched_switch", cloneExitProgram, "sys_enter_sigaltstack", "sys_enter_sigaltstack"},
		needs:    []events.Kind{events.NewTask, events.Switch, events.Sigaltstack, events.Sigmask}},
	phaseTotal: {id: "P-8", name: "total",
		programs: []string{"task_newtask", "sched_wakeup_new", "sched_switch", cloneExitProgram, "sys_enter_sigaltstack", "sys_enter_sigaltstack"},
		needs:    []events.Kind{events.CloneEnter, events.NewTask, events.Sigaltstack, events.Sigmask}},
	phaseRuntime: {id: "P-9", name: "runtime", oneThread: true,
		programs: []string{"sys_enter_rt_sigprocmask", "sys_enter_sigaltstack"},
		needs:    []events.Kind{events.Sigmask, events.Sigaltstack, events.ExitEnter}},
	phaseExit: {id: "P-9", name: "exit", oneThread: true,
		programs: []string{"sched_process_exit"},
		needs:    []events.Kind{events.ExitEnter, events.Switch}},
	phaseFree: {id: "P-9", name: "free", light: true,
		needs: []events.Kind{events.ExitEnter, events.Switch, events.ProcessFree}},
	phaseSend: {id: "P-5", name: "send", oneThread: true,
		programs: []string{"signal_generate"},
		needs:    []events.Kind{events.TgkillEnter, events.SignalGenerate, events.TgkillExit}},
	phaseDeliver: {id: "P-5", name: "deliver", oneThread: true, light: true,
		programs: []string{"signal_generate"},
		needs:    []events.Kind{events.TgkillEnter, events.SignalGenerate, events.SignalDeliver}},
	phaseHandler: {id: "P-5", name: "handler", oneThread: true,
		programs: []string{"signal_deliver"},
		needs:    []events.Kind{events.TgkillEnter, events.SignalGenerate, events.SignalDeliver, events.Sigreturn}},
	phaseKernelLower: {id: "P-5", name: "kernel", bound: "lower", oneThread: true,
		programs: []string{"signal_generate"},
		needs:    []events.Kind{events.TgkillEnter, events.SignalGenerate, events.TgkillExit, events.SignalDeliver},
		warning:  unseenKernelTime},
	phaseKernelUpper: {id: "P-5", name: "kernel", bound: "upper",
		programs: []string{"signal_generate"},
		needs:    []events.Kind{events.TgkillEnter, events.SignalGenerate, events.TgkillExit, events.SignalDeliver},
		warning:  unseenKernelTime},
	phaseResume: {id: "P-6", name: "resume", oneThread: true,
		programs: []string{"sys_enter_rt_sigreturn"},
		needs:    []events.Kind{events.Sigreturn, events.Park, events.Switch}},
	phaseHandoffWake: {id: "X-handoff", name: "wake", light: true,
		programs: []string{"sched_waking"},
		needs:    []events.Kind{events.Switch}},
	phaseHandoffCPU: {id: "X-handoff", name: "cpu", bound: "lower", light: true,
		programs: []string{"sched_waking"},
		needs:    []events.Kind{events.Switch}},
}

const unseenKernelTime = "tracepoints do not see the signal frame's set-up after delivery and the work of rt_sigreturn"

// cloneExitProgram stands for the hook of whichever of clone and clone3 made the thread. It runs in the child too.
const cloneExitProgram = "sys_exit_clone"

// sample is one interval that is complete.
type sample struct {
	phase phase
	group
	begin, end events.Time
	anchor     events.Time // the event that a window counts the sample by; 0 = begin
	off        int64       // ns off the CPU inside
	outs       uint32      // switch-outs inside
	vague      bool        // off is not known
	sending    *signal     // of a send: whose it is
	clone3     bool
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
