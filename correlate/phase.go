package correlate

import (
	"slices"

	"github.com/pinwatch/pinwatch/events"
)

// phase is a measured part of a thread's or a signal's life. Each is a cost; docs define its ends.
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

// phaseSpec holds the names of a phase and what is known of the time between its ends.
type phaseSpec struct {
	id, name, bound string
	oneThread       bool          // the interval is one thread's time, so part of it can be off the CPU
	overhead        []programRun  // the kernel programs that always run inside
	needs           []events.Kind // without all of these records a sample is missed
	warning         string        // what the number does not hold, always
	light           bool          // measured in light, too: no system call begins or ends it
}

// programRun is the part of one run of a kernel program that lies in an interval: its body, all or
// nothing, and the kernel's way to it and back, by halves. Programs are named as the loader names
// those that time themselves.
type programRun struct {
	program      string
	body, halves uint64
}

// wholeRun is a run in the middle of an interval.
func wholeRun(program string) programRun { return programRun{program, 1, 2} }

// bodyInside is a run that stamps the begin of an interval before its work, or the end after it.
func bodyInside(program string) programRun { return programRun{program, 1, 1} }

// bodyOutside is a run that stamps the end of an interval before its work, or the begin after it.
func bodyOutside(program string) programRun { return programRun{program, 0, 1} }

// emptyRun is a run in the middle of an interval that finds nothing to do.
func emptyRun(program string) programRun { return programRun{program, 0, 2} }

var phases = [phaseCount]phaseSpec{
	phaseCloneSyscall: {id: "P-8", name: "clone_syscall", oneThread: true,
		overhead: []programRun{bodyOutside("clone"), wholeRun("task_newtask"), wholeRun("sched_wakeup_new"),
			bodyOutside("clone_return")},
		needs: []events.Kind{events.CloneEnter, events.NewTask, events.CloneExit}},
	phaseSpawn: {id: "P-8", name: "spawn",
		overhead: []programRun{bodyOutside("clone"), wholeRun("task_newtask"), wholeRun("sched_wakeup_new"),
			bodyOutside("sched_switch_in")},
		needs: []events.Kind{events.CloneEnter, events.NewTask, events.Switch}},
	phaseRunqWait: {id: "P-8", name: "runq_wait", light: true,
		overhead: []programRun{bodyInside("sched_wakeup_new"), bodyOutside("sched_switch_in")},
		needs:    []events.Kind{events.NewTask, events.Switch}},
	phaseStart: {id: "P-8", name: "start", oneThread: true,
		overhead: []programRun{bodyInside("sched_switch_in"), emptyRun("clone_return"), emptyRun("sigaltstack"),
			wholeRun("sigaltstack"), bodyOutside("rt_sigprocmask")},
		needs: []events.Kind{events.NewTask, events.Switch, events.Sigaltstack, events.Sigmask}},
	phaseTotal: {id: "P-8", name: "total",
		overhead: []programRun{bodyOutside("clone"), wholeRun("task_newtask"), wholeRun("sched_wakeup_new"),
			wholeRun("sched_switch_in"), emptyRun("clone_return"), emptyRun("sigaltstack"), wholeRun("sigaltstack"),
			bodyOutside("rt_sigprocmask")},
		needs: []events.Kind{events.CloneEnter, events.NewTask, events.Sigaltstack, events.Sigmask}},
	phaseRuntime: {id: "P-9", name: "runtime", oneThread: true,
		overhead: []programRun{bodyInside("rt_sigprocmask"), wholeRun("sigaltstack"), bodyInside("exit")},
		needs:    []events.Kind{events.Sigmask, events.Sigaltstack, events.ExitEnter}},
	phaseExit: {id: "P-9", name: "exit", oneThread: true,
		overhead: []programRun{bodyOutside("exit"), wholeRun("sched_process_exit"), bodyOutside("sched_switch_out")},
		needs:    []events.Kind{events.ExitEnter, events.Switch}},
	phaseFree: {id: "P-9", name: "free", light: true,
		needs: []events.Kind{events.ExitEnter, events.Switch, events.ProcessFree}},
	phaseSend: {id: "P-5", name: "send", oneThread: true,
		overhead: []programRun{bodyOutside("tgkill"), wholeRun("signal_generate"), bodyOutside("tgkill_return")},
		needs:    []events.Kind{events.TgkillEnter, events.SignalGenerate, events.TgkillExit}},
	phaseDeliver: {id: "P-5", name: "deliver", oneThread: true, light: true,
		overhead: []programRun{bodyInside("signal_generate"), bodyOutside("signal_deliver")},
		needs:    []events.Kind{events.TgkillEnter, events.SignalGenerate, events.SignalDeliver}},
	phaseHandler: {id: "P-5", name: "handler", oneThread: true,
		overhead: []programRun{bodyInside("signal_deliver"), bodyOutside("rt_sigreturn")},
		needs:    []events.Kind{events.TgkillEnter, events.SignalGenerate, events.SignalDeliver, events.Sigreturn}},
	phaseKernelLower: {id: "P-5", name: "kernel", bound: "lower", oneThread: true,
		overhead: []programRun{bodyOutside("tgkill"), wholeRun("signal_generate"), bodyOutside("tgkill_return")},
		needs:    []events.Kind{events.TgkillEnter, events.SignalGenerate, events.TgkillExit, events.SignalDeliver},
		warning:  unseenKernelTime},
	phaseKernelUpper: {id: "P-5", name: "kernel", bound: "upper",
		overhead: []programRun{bodyOutside("tgkill"), wholeRun("signal_generate"), bodyOutside("tgkill_return")},
		needs:    []events.Kind{events.TgkillEnter, events.SignalGenerate, events.TgkillExit, events.SignalDeliver},
		warning:  unseenKernelTime},
	phaseResume: {id: "P-6", name: "resume", oneThread: true,
		overhead: []programRun{bodyInside("rt_sigreturn"), wholeRun("sched_waking"), bodyOutside("sched_switch_in")},
		needs:    []events.Kind{events.Sigreturn, events.Park, events.Switch}},
	phaseHandoffWake: {id: "X-handoff", name: "wake", light: true,
		overhead: []programRun{bodyOutside("sched_switch_in")},
		needs:    []events.Kind{events.Switch}},
	phaseHandoffCPU: {id: "X-handoff", name: "cpu", bound: "lower", light: true,
		overhead: []programRun{bodyOutside("sched_switch_out")},
		needs:    []events.Kind{events.Switch}},
}

const unseenKernelTime = "tracepoints do not see the signal frame's set-up after delivery and the work of rt_sigreturn"

// Phases are the costs that a Result can have, in its order: the ids and phases of its rows, each once.
func Phases() (rows []Cost) {
	for _, p := range phases {
		row := Cost{ID: p.id, Phase: p.name}
		if !slices.ContainsFunc(rows, func(c Cost) bool { return c.ID == row.ID && c.Phase == row.Phase }) {
			rows = append(rows, row)
		}
	}
	return rows
}
