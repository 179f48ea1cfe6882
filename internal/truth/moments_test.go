package truth

import (
	"cmp"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/testenv/witness"
)

// moment is one event of one thread, with the stamp of one instrument.
type moment struct {
	at   int64 // CLOCK_MONOTONIC, ns
	what string
	tid  int32 // the thread it is about: the child of a newtask, the target of a signal, the woken of a waking
	by   int32 // newtask: the parent; generate: the sender
	arg  int64 // result of a call or of signal_generate; out: one of the outs below
}

// The kinds of moments.
const (
	doClone, cloneDone    = "clone", "clone's return"
	newTask               = "newtask"
	doExit, processExit   = "exit", "process exit"
	doTgkill, tgkillDone  = "tgkill", "tgkill's return"
	generate, deliver     = "generate", "deliver"
	sigreturn             = "sigreturn"
	sigmask, sigaltstack  = "sigmask", "sigaltstack"
	waking, comeOn, goOff = "waking", "switch-in", "switch-out"
)

// How a thread leaves its CPU: voluntarily, still runnable, for ever.
const (
	outSleeps = iota
	outRunnable
	outDead
)

// exactly are the moments on a thread of the target, or in a system call of one. Every instrument
// that records them has each. A switch-in and a waking happen in the context of any thread.
var exactly = []string{
	doClone, cloneDone, newTask, doExit, processExit, doTgkill, tgkillDone, generate, deliver, sigreturn, sigmask,
	sigaltstack, goOff,
}

// stream is one instrument's record of the target's threads, by time.
type stream []moment

func (s stream) sorted() stream {
	slices.SortStableFunc(s, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
	return s
}

// window returns the moments from start to before end.
func (s stream) window(start, end int64) stream {
	from, _ := slices.BinarySearchFunc(s, start, func(m moment, at int64) int { return cmp.Compare(m.at, at) })
	to, _ := slices.BinarySearchFunc(s, end, func(m moment, at int64) int { return cmp.Compare(m.at, at) })
	return s[from:max(from, to)]
}

// plainMoments are the kinds of events without arguments.
var plainMoments = map[events.Kind]string{
	events.CloneEnter: doClone, events.ExitEnter: doExit, events.ProcessExit: processExit, events.TgkillEnter: doTgkill,
	events.SignalDeliver: deliver, events.Sigreturn: sigreturn, events.Sigmask: sigmask, events.Sigaltstack: sigaltstack,
}

// pinwatchMoments is pinwatch's record: the events of its correlator.
func pinwatchMoments(all []events.Event) (s stream) {
	for _, e := range all {
		m := moment{at: int64(e.Time), what: plainMoments[e.Kind], tid: int32(e.TID)}
		switch e.Kind {
		case events.NewTask:
			m.what, m.by = newTask, int32(e.Args[events.ArgParent])
		case events.CloneExit:
			m.what, m.arg = cloneDone, int64(e.Args[events.ArgRet])
		case events.TgkillExit:
			m.what, m.arg = tgkillDone, int64(e.Args[events.ArgRet])
		case events.SignalGenerate:
			m.what, m.by, m.arg = generate, int32(e.Args[events.ArgSender]), int64(e.Args[events.ArgResult])
		case events.Switch:
			m.what = goOff
			switch {
			case e.Has(events.SwitchDead):
				m.arg = outDead
			case e.Has(events.SwitchPreempted):
				m.arg = outRunnable
			}
			in := m.at - int64(e.Args[events.ArgRunNS])
			if e.Has(events.SwitchWake) {
				s = append(s, moment{at: in - int64(e.Args[events.ArgRunqNS]), what: waking, tid: m.tid})
			}
			if e.Has(events.SwitchRun) {
				s = append(s, moment{at: in, what: comeOn, tid: m.tid})
			}
		}
		if m.what != "" {
			s = append(s, m)
		}
	}
	return s.sorted()
}

// enterMoments are the events of a trace without arguments.
var enterMoments = map[string]string{
	"sys_enter_clone": doClone, "sys_enter_clone3": doClone, "sys_enter_exit": doExit, "sys_enter_rt_sigreturn": sigreturn,
	"sched_process_exit": processExit,
}

// traceMoments is the record of the trace buffer, or of perf.
func traceMoments(of []witness.TraceEvent, lived map[int32]bool) (s stream) {
	const setMask, cloneThread = 2, 0x10000 // SIG_SETMASK, CLONE_THREAD
	called := map[int32]bool{}              // threads in a tgkill(…, SIGURG)
	for _, e := range of {
		m := moment{at: e.Time, what: enterMoments[e.Name], tid: e.TID}
		number := func(name string) int64 { v, _ := e.Int(name); return v }
		urgent := number("sig") == int64(unix.SIGURG)
		switch e.Name {
		case "sys_enter_clone":
			if number("clone_flags")&cloneThread == 0 {
				continue
			}
		case "sys_exit_clone", "sys_exit_clone3":
			if m.arg = number("ret"); m.arg != 0 { // else it is the child's
				m.what = cloneDone
			}
		case "task_newtask":
			if number("clone_flags")&cloneThread != 0 {
				m.what, m.tid, m.by = newTask, int32(number("pid")), e.TID
			}
		case "sys_enter_tgkill":
			if called[e.TID] = urgent; urgent {
				m.what = doTgkill
			}
		case "sys_exit_tgkill":
			if called[e.TID] {
				m.what, m.arg = tgkillDone, number("ret")
			}
		case "signal_generate":
			if urgent {
				m.what, m.tid, m.by, m.arg = generate, int32(number("pid")), e.TID, number("res")
			}
		case "signal_deliver":
			if urgent {
				m.what = deliver
			}
		case "sys_enter_rt_sigprocmask":
			if number("how") == setMask && number("nset") != 0 {
				m.what = sigmask
			}
		case "sys_enter_sigaltstack":
			if number("uss") != 0 {
				m.what = sigaltstack
			}
		case "sched_waking", "sched_wakeup_new":
			m.what, m.tid = waking, int32(number("pid"))
		}
		if m.what != "" {
			s = append(s, m)
		}
		if out, in, ok := e.Switch(); ok {
			s = append(s, switchMoments(lived, out, in)...)
		}
	}
	return s.sorted()
}

func switchMoments(lived map[int32]bool, switches ...witness.SwitchEvent) (s stream) {
	for _, e := range switches {
		m := moment{at: e.Time, what: goOff, tid: e.TID}
		switch {
		case !lived[e.TID]:
			continue
		case e.In:
			m.what = comeOn
		case e.Dead:
			m.arg = outDead
		case e.Runnable:
			m.arg = outRunnable
		}
		s = append(s, m)
	}
	return s
}

// bpftraceMoments is the record of bpftrace.
func bpftraceMoments(lived map[int32]bool, events []witness.SwitchEvent, seen *witness.Switches) (s stream) {
	for _, b := range seen.Births {
		s = append(s, moment{at: b.Time, what: newTask, tid: b.TID, by: b.Parent})
	}
	for _, w := range seen.Wakings {
		s = append(s, moment{at: w.Time, what: waking, tid: w.TID})
	}
	return append(s, switchMoments(lived, events...)...).sorted()
}
