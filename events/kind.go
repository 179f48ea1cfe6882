package events

import (
	"unsafe"

	"github.com/pinwatch/pinwatch/bpf"
)

// Kind says what happened. Kinds below userKinds are the kernel's (bpf/event.h); the others are made in user space and travel in
// the same stream, so that a recording holds all that a report is made of.
type Kind uint8

// The kernel's kinds, mirrored from bpf/event.h; the comments there say when each fires.
const (
	Thread         = Kind(bpf.PinwatchEventKindKIND_THREAD)
	NewTask        = Kind(bpf.PinwatchEventKindKIND_NEWTASK)
	CloneEnter     = Kind(bpf.PinwatchEventKindKIND_CLONE_ENTER)
	CloneExit      = Kind(bpf.PinwatchEventKindKIND_CLONE_EXIT)
	ExitEnter      = Kind(bpf.PinwatchEventKindKIND_EXIT_ENTER)
	ProcessExit    = Kind(bpf.PinwatchEventKindKIND_PROCESS_EXIT)
	ProcessFree    = Kind(bpf.PinwatchEventKindKIND_PROCESS_FREE)
	Sigmask        = Kind(bpf.PinwatchEventKindKIND_SIGMASK)
	Sigaltstack    = Kind(bpf.PinwatchEventKindKIND_SIGALTSTACK)
	TgkillEnter    = Kind(bpf.PinwatchEventKindKIND_TGKILL_ENTER)
	TgkillExit     = Kind(bpf.PinwatchEventKindKIND_TGKILL_EXIT)
	SignalGenerate = Kind(bpf.PinwatchEventKindKIND_SIGNAL_GENERATE)
	SignalDeliver  = Kind(bpf.PinwatchEventKindKIND_SIGNAL_DELIVER)
	Sigreturn      = Kind(bpf.PinwatchEventKindKIND_SIGRETURN)
	Exec           = Kind(bpf.PinwatchEventKindKIND_EXEC)
	Switch         = Kind(bpf.PinwatchEventKindKIND_SWITCH)

	kernelKinds = Kind(bpf.PinwatchEventKindKIND_COUNT)
)

// User space's kinds.
const (
	WindowStart   = kernelKinds + iota // the observation begins
	WindowCut                          // one interval ends here and the next begins
	WindowEnd                          // the observation ends
	WindowSettled                      // every thread alive at the last cut or end has since been looked at
	Loss                               // records of one kind were lost since the last Loss
	kindCount
)

// Bits of Event.Flags, by kind.
const (
	ThreadOnCPU       = uint8(bpf.PinwatchThreadFlagTHREAD_ON_CPU)
	ThreadRunnable    = uint8(bpf.PinwatchThreadFlagTHREAD_RUNNABLE)
	ThreadExited      = uint8(bpf.PinwatchThreadFlagTHREAD_EXITED)
	ThreadOffRunnable = uint8(bpf.PinwatchThreadFlagTHREAD_OFF_RUNNABLE)
	ThreadNew         = uint8(bpf.PinwatchThreadFlagTHREAD_NEW)

	TargetBlocked  = uint8(bpf.PinwatchTargetStateTARGET_BLOCKED)
	TargetRunnable = uint8(bpf.PinwatchTargetStateTARGET_RUNNABLE)
	TargetOnCPU    = uint8(bpf.PinwatchTargetStateTARGET_ON_CPU)
	TargetUnknown  = uint8(bpf.PinwatchTargetStateTARGET_UNKNOWN)

	WindowIntervals   = uint8(1) // WindowStart: the window will be cut
	WindowTargetEnded = uint8(1) // WindowEnd: the kernel says that the target has ended

	SwitchRun       = uint8(bpf.PinwatchSwitchFlagSWITCH_RUN)
	SwitchOff       = uint8(bpf.PinwatchSwitchFlagSWITCH_OFF)
	SwitchWake      = uint8(bpf.PinwatchSwitchFlagSWITCH_WAKE)
	SwitchFirst     = uint8(bpf.PinwatchSwitchFlagSWITCH_FIRST)
	SwitchPreempted = uint8(bpf.PinwatchSwitchFlagSWITCH_PREEMPTED)
	SwitchDead      = uint8(bpf.PinwatchSwitchFlagSWITCH_DEAD)
)

// Positions in Event.Args, by kind. The text form prints arguments under the names in specs.
const (
	ArgOff, ArgWake, ArgRun, ArgNSTID, ArgLastCPU, ArgWhy, ArgComm = 0, 1, 2, 3, 4, 5, 6 // Thread (ArgComm takes two)
	ArgParent, ArgChildNSTID, ArgCloneFlags, ArgCloneEnter         = 0, 1, 2, 3          // NewTask
	ArgRet, ArgEnter                                               = 0, 1                // CloneExit, TgkillExit
	ArgOldTID, ArgExecNSTID                                        = 0, 1                // Exec
	ArgValue                                                       = 0                   // the kinds with one argument
	ArgSender, ArgSenderTGID, ArgResult, ArgGroup, ArgTgkillEnter  = 0, 1, 2, 3, 4       // SignalGenerate
	ArgRunNS, ArgRunqNS, ArgBlockedNS, ArgWaker                    = 0, 1, 2, 3          // Switch, with ArgLastCPU, ArgWhy
	ArgLostKind, ArgLostCount                                      = 0, 1                // Loss
)

// spec is all there is to know of a kind: a row here gives it a name, a text form and a decoder.
type spec struct {
	name   string
	args   []string
	flags  []string // names of the bits of Flags, lowest first; one "=" first means Flags is a number and these are its values
	size   uintptr
	decode func(raw unsafe.Pointer, e *Event)
}

var plainSize = unsafe.Sizeof(bpf.PinwatchEventPlain{})

var specs = [kindCount]spec{
	Thread: {"thread", []string{"off", "wake", "run", "ns_tid", "last_cpu", "why", "comm", "comm2"},
		[]string{"on_cpu", "runnable", "exited", "off_runnable", "new"}, unsafe.Sizeof(bpf.PinwatchEventThread{}), decodeThread},
	NewTask:        {"newtask", []string{"parent", "ns_tid", "clone_flags", "enter"}, nil, unsafe.Sizeof(bpf.PinwatchEventNewtask{}), decodeNewTask},
	CloneEnter:     {"clone_enter", []string{"clone_flags"}, []string{"clone3"}, unsafe.Sizeof(bpf.PinwatchEventCloneEnter{}), decodeValue},
	CloneExit:      {"clone_exit", []string{"ret", "enter"}, nil, unsafe.Sizeof(bpf.PinwatchEventReturn{}), decodeReturn},
	ExitEnter:      {"exit_enter", nil, nil, plainSize, decodePlain},
	ProcessExit:    {"process_exit", nil, nil, plainSize, decodePlain},
	ProcessFree:    {"process_free", nil, nil, plainSize, decodePlain},
	Sigmask:        {"sigmask", []string{"set"}, nil, unsafe.Sizeof(bpf.PinwatchEventSigmask{}), decodeValue},
	Sigaltstack:    {"sigaltstack", []string{"ss_flags"}, nil, unsafe.Sizeof(bpf.PinwatchEventSigaltstack{}), decodeSigaltstack},
	TgkillEnter:    {"tgkill_enter", nil, nil, plainSize, decodePlain},
	TgkillExit:     {"tgkill_exit", []string{"ret", "enter"}, nil, unsafe.Sizeof(bpf.PinwatchEventReturn{}), decodeReturn},
	SignalGenerate: {"signal_generate", []string{"sender", "sender_tgid", "result", "group", "enter"}, []string{"=", "blocked", "runnable", "on_cpu", "unknown"}, unsafe.Sizeof(bpf.PinwatchEventSignalGenerate{}), decodeSignalGenerate},
	SignalDeliver:  {"signal_deliver", nil, nil, plainSize, decodePlain},
	Sigreturn:      {"sigreturn", []string{"pc"}, nil, unsafe.Sizeof(bpf.PinwatchEventSigreturn{}), decodeValue},
	Exec:           {"exec", []string{"old_tid", "ns_tid"}, nil, unsafe.Sizeof(bpf.PinwatchEventExec{}), decodeExec},
	Switch: {"switch", []string{"run", "runq", "blocked", "waker", "last_cpu", "why"},
		[]string{"run", "off", "wake", "first", "preempted", "dead"}, unsafe.Sizeof(bpf.PinwatchEventSwitch{}), decodeSwitch},

	WindowStart:   {name: "window_start", flags: []string{"intervals"}},
	WindowCut:     {name: "window_cut"},
	WindowEnd:     {name: "window_end", flags: []string{"target_ended"}},
	WindowSettled: {name: "window_settled"},
	Loss:          {name: "loss", args: []string{"kind", "count"}},
}

// String returns the kind's name in reports and in the text form; "kind(N)" for a number that is no kind.
func (k Kind) String() string {
	if k == 0 || k >= kindCount {
		return "kind(" + itoa(uint64(k)) + ")"
	}
	return specs[k].name
}

// KernelKinds lists the kinds that the kernel side sends, in wire order.
func KernelKinds() []Kind {
	var kinds []Kind
	for k := Kind(1); k < kernelKinds; k++ {
		kinds = append(kinds, k)
	}
	return kinds
}
