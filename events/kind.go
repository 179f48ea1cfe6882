package events

import (
	"unsafe"

	"github.com/pinwatch/pinwatch/bpf"
)

// Kind is the kind of an event. The kernel's kinds come first (bpf/event.h); the others, from
// WindowStart on, are made in user space and travel in the same stream, so that a recording holds
// all data of a report.
type Kind uint8

// The kernel's kinds, mirrored from bpf/event.h, which describes when each is sent.
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
	ParentDeath    = Kind(bpf.PinwatchEventKindKIND_PARENT_DEATH)
	Delay          = Kind(bpf.PinwatchEventKindKIND_DELAY)
	Switch         = Kind(bpf.PinwatchEventKindKIND_SWITCH)
	ThreadM        = Kind(bpf.PinwatchEventKindKIND_THREAD_M)
	Lock           = Kind(bpf.PinwatchEventKindKIND_LOCK)
	Park           = Kind(bpf.PinwatchEventKindKIND_PARK)
	Pin            = Kind(bpf.PinwatchEventKindKIND_PIN)
	Sum            = Kind(bpf.PinwatchEventKindKIND_SUM)
	SumLock        = Kind(bpf.PinwatchEventKindKIND_SUM_LOCK)

	kernelKinds = Kind(bpf.PinwatchEventKindKIND_COUNT)
)

// User space's kinds.
const (
	WindowStart   = kernelKinds + iota // the observation begins
	WindowCut                          // one interval ends here and the next begins
	WindowEnd                          // the observation ends
	WindowSettled                      // a snapshot has been taken since the last cut or end
	Loss                               // records of one kind were lost since the last Loss
	SampleTotal                        // sums: samples of one phase in the window that ends
	SampleBucket                       // sums: those of the samples in one bucket
	Move                               // sums: migrations over one distance for one reason, in the window that ends
	Untracked                          // threads that found no room for their state, ever; their turns since the last one
	Paused                             // the process is stopped or frozen at this moment; without flags: it is not
	Throttled                          // no thread may run on this CPU now: a quota of CPU time is used up
	kindCount
)

// Bits of Event.Flags, by kind.
const (
	ThreadOnCPU       = uint8(bpf.PinwatchThreadFlagTHREAD_ON_CPU)
	ThreadRunnable    = uint8(bpf.PinwatchThreadFlagTHREAD_RUNNABLE)
	ThreadExited      = uint8(bpf.PinwatchThreadFlagTHREAD_EXITED)
	ThreadOffRunnable = uint8(bpf.PinwatchThreadFlagTHREAD_OFF_RUNNABLE)
	ThreadNew         = uint8(bpf.PinwatchThreadFlagTHREAD_NEW)
	ThreadIOWorker    = uint8(bpf.PinwatchThreadFlagTHREAD_IO_WORKER) // NewTask, too
	ThreadUntracked   = uint8(bpf.PinwatchThreadFlagTHREAD_UNTRACKED) // NewTask, too

	TargetBlocked  = uint8(bpf.PinwatchTargetStateTARGET_BLOCKED)
	TargetRunnable = uint8(bpf.PinwatchTargetStateTARGET_RUNNABLE)
	TargetOnCPU    = uint8(bpf.PinwatchTargetStateTARGET_ON_CPU)
	TargetUnknown  = uint8(bpf.PinwatchTargetStateTARGET_UNKNOWN)

	CloneCalled3 = uint8(1) // CloneEnter: by clone3

	ExitCalled = uint8(bpf.PinwatchExitFlagEXIT_CALLED) // ProcessExit: the thread is in exit(2)

	LockUnread  = uint8(bpf.PinwatchLockKindLOCK_UNREAD)
	LockUnknown = uint8(bpf.PinwatchLockKindLOCK_UNKNOWN)
	LockForeign = uint8(bpf.PinwatchLockKindLOCK_FOREIGN)
	LockNone    = uint8(bpf.PinwatchLockKindLOCK_NONE)
	LockUser    = uint8(bpf.PinwatchLockKindLOCK_USER)
	LockRuntime = uint8(bpf.PinwatchLockKindLOCK_RUNTIME)
	LockOrphan  = uint8(bpf.PinwatchLockKindLOCK_ORPHAN)

	SampleWake = uint8(bpf.PinwatchSampleOfSAMPLE_WAKE) // Flags of SampleTotal and SampleBucket
	SampleCPU  = uint8(bpf.PinwatchSampleOfSAMPLE_CPU)

	WindowIntervals   = uint8(1) // WindowStart: the window will be cut
	WindowTargetEnded = uint8(1) // WindowEnd: by the kernel's records the target has ended

	PausedStopped = uint8(1) // Paused: by a signal or a debugger
	PausedFrozen  = uint8(2) // Paused: by its cgroup

	DelayPreempted    = uint8(bpf.PinwatchDelayFlagDELAY_PREEMPTED)
	DelayIsolated     = uint8(bpf.PinwatchDelayFlagDELAY_ISOLATED)
	DelayBeforeKernel = uint8(bpf.PinwatchDelayFlagDELAY_BEFORE_KERNEL)
	DelayBeforeOwn    = uint8(bpf.PinwatchDelayFlagDELAY_BEFORE_OWN)
	DelayBeforeIdle   = uint8(bpf.PinwatchDelayFlagDELAY_BEFORE_IDLE)
	DelayTakerKernel  = uint8(bpf.PinwatchDelayFlagDELAY_TAKER_KERNEL)
	DelayTakerOwn     = uint8(bpf.PinwatchDelayFlagDELAY_TAKER_OWN)
	DelayTakerIdle    = uint8(bpf.PinwatchDelayFlagDELAY_TAKER_IDLE)

	DelayTakerShift = bpf.PinwatchDelayFlagDELAY_TAKER_SHIFT // of a taker's flags from those before

	SwitchRun       = uint8(bpf.PinwatchSwitchFlagSWITCH_RUN)
	SwitchOff       = uint8(bpf.PinwatchSwitchFlagSWITCH_OFF)
	SwitchWake      = uint8(bpf.PinwatchSwitchFlagSWITCH_WAKE)
	SwitchFirst     = uint8(bpf.PinwatchSwitchFlagSWITCH_FIRST)
	SwitchPreempted = uint8(bpf.PinwatchSwitchFlagSWITCH_PREEMPTED)
	SwitchDead      = uint8(bpf.PinwatchSwitchFlagSWITCH_DEAD)
	SwitchParked    = uint8(bpf.PinwatchSwitchFlagSWITCH_PARKED)
)

// Reasons of a migration, in ArgWhy and ArgMoveWhy.
const (
	WhyUnknown  = uint64(bpf.PinwatchMigrateWhyWHY_UNKNOWN)
	WhyWakeup   = uint64(bpf.PinwatchMigrateWhyWHY_WAKEUP)
	WhyBalance  = uint64(bpf.PinwatchMigrateWhyWHY_BALANCE)
	WhyAffinity = uint64(bpf.PinwatchMigrateWhyWHY_AFFINITY)
)

// Distances are the words for how far a migration goes, by ArgMoveDistance.
var Distances = [bpf.PinwatchMoveDistanceDISTANCES]string{
	bpf.PinwatchMoveDistanceDISTANCE_UNKNOWN: "unknown",
	bpf.PinwatchMoveDistanceDISTANCE_SMT:     "smt",
	bpf.PinwatchMoveDistanceDISTANCE_LLC:     "llc",
	bpf.PinwatchMoveDistanceDISTANCE_NODE:    "node",
	bpf.PinwatchMoveDistanceDISTANCE_REMOTE:  "remote",
}

// LockAge is the longest time for which switch-outs rely on an earlier check of the thread's lock.
// The last of summed checks is no older than that at the last switch-out.
const LockAge = Time(bpf.PinwatchLockAgeLOCKED_AGE_NS)

// What a signal does to the system call that its thread waits in, in ArgCallEnd.
const (
	CallRestarted   = uint64(bpf.PinwatchCallEndCALL_RESTARTED)
	CallInterrupted = uint64(bpf.PinwatchCallEndCALL_INTERRUPTED)
	CallUnknown     = uint64(bpf.PinwatchCallEndCALL_UNKNOWN)
)

// ExecFollowed in Flags of an Exec: a target, or a followed process, has started this one.
const ExecFollowed = uint8(bpf.PinwatchExecFlagEXEC_FOLLOWED)

// ExecKnown in Flags of an Exec: the kernel side knows the Go runtime from the program's first
// instruction on, see loader.Group.Know.
const ExecKnown = uint8(bpf.PinwatchExecFlagEXEC_KNOWN)

// NoSlot in ArgFromSlot or ArgToSlot means that the process was, or is, no target.
const NoSlot = uint64(bpf.PinwatchTargetHintNO_SLOT)

// Positions in Event.Args, by kind. The text form prints arguments under the names in specs.
// A stack is its number in Stacks. ArgRead and ArgMRead are 1 where pinwatch read the target's
// memory, and 0 where the thread itself sent the record.
const (
	ArgOff, ArgWake, ArgRun, ArgNSTID, ArgLastCPU, ArgWhy, ArgComm = 0, 1, 2, 3, 4, 5, 6 // Thread (ArgComm takes two)
	ArgParent, ArgChildNSTID, ArgCloneFlags, ArgCloneEnter         = 0, 1, 2, 3          // NewTask
	ArgFlags, ArgCloneStack, ArgCloneLock                          = 0, 1, 2             // CloneEnter
	ArgRet, ArgEnter                                               = 0, 1                // CloneExit, TgkillExit
	ArgOldTID, ArgExecNSTID, ArgFromSlot, ArgToSlot                = 0, 1, 2, 3          // Exec
	ArgChildren, ArgDeathSignal                                    = 0, 1                // ParentDeath
	ArgWaitEnd, ArgWait, ArgBefore, ArgBeforeComm                  = 0, 1, 2, 3          // Delay
	ArgTaker, ArgTakerComm                                         = 5, 6                // Delay (names take two)
	ArgValue                                                       = 0                   // kinds of one argument; Sigmask
	ArgUnread                                                      = 1                   // Sigmask: the set was unreadable
	ArgStack                                                       = 0                   // ExitEnter, TgkillEnter, Park
	ArgSender, ArgSenderTGID, ArgResult, ArgGroup, ArgTgkillEnter  = 0, 1, 2, 3, 4       // SignalGenerate
	ArgTargetLock                                                  = 5                   // SignalGenerate
	ArgCallEnd, ArgCall                                            = 0, 1                // SignalDeliver
	ArgRunNS, ArgRunqNS, ArgBlockedNS, ArgWaker                    = 0, 1, 2, 3          // Switch, with ArgLastCPU, ArgWhy
	ArgLock                                                        = 6                   // Switch
	ArgM, ArgMID, ArgMStart, ArgExtra, ArgMRead                    = 0, 1, 2, 3, 4       // ThreadM
	ArgGoID, ArgEntry, ArgExt, ArgInt, ArgParked, ArgRead          = 0, 1, 2, 3, 4, 5    // Lock
	ArgPinGoID, ArgPinExt, ArgPinStack                             = 0, 1, 2             // Pin; ext before, or -1
	ArgUntil, ArgSwitches, ArgMigrations                           = 0, 1, 2             // Sum; ArgUntil also SumLock
	ArgSumRun, ArgSumRunq, ArgSumBlocked                           = 3, 4, 5             // Sum
	ArgChecks, ArgHandoffs, ArgWakeNS, ArgCPUNS                    = 1, 2, 3, 4          // SumLock
	ArgSamples, ArgSampleSum, ArgSampleLeast, ArgSampleMost        = 0, 1, 2, 3          // SampleTotal
	ArgBucket, ArgBucketCount                                      = 0, 1                // SampleBucket: a value in it
	ArgMoveDistance, ArgMoveWhy, ArgMoveCount                      = 0, 1, 2             // Move
	ArgLostKind, ArgLostCount                                      = 0, 1                // Loss
	ArgUntracked, ArgUntrackedTurns                                = 0, 1                // Untracked
	ArgEnded                                                       = 0                   // WindowEnd; 0 = not known
	ArgNotBefore, ArgBanUntil                                      = 0, 1                // Throttled; Paused has one
)

// spec gives a kind its name, its text form and its decoder.
type spec struct {
	name   string
	args   []string
	flags  flagNames
	size   uintptr
	decode func(raw unsafe.Pointer, e *Event, stacks *Stacks)
}

// flagNames are the names of a kind's Flags: of bits, or of whole values.
type flagNames struct {
	bits, values []flagName
}

type flagName struct {
	flag uint8
	name string
}

var lockFlags = flagNames{values: []flagName{
	{LockUnread, "unread"}, {LockUnknown, "unknown"}, {LockForeign, "foreign"}, {LockNone, "none"},
	{LockUser, "user"}, {LockRuntime, "runtime"}, {LockOrphan, "orphan"},
}}

var turnFlags = flagNames{bits: []flagName{
	{SwitchRun, "run"}, {SwitchOff, "off"}, {SwitchWake, "wake"}, {SwitchFirst, "first"},
	{SwitchPreempted, "preempted"}, {SwitchDead, "dead"}, {SwitchParked, "parked"},
}}

var threadFlags = flagNames{bits: []flagName{
	{ThreadOnCPU, "on_cpu"}, {ThreadRunnable, "runnable"}, {ThreadExited, "exited"},
	{ThreadOffRunnable, "off_runnable"}, {ThreadNew, "new"}, {ThreadIOWorker, "io_worker"},
	{ThreadUntracked, "untracked"},
}}

var birthFlags = flagNames{bits: []flagName{{ThreadIOWorker, "io_worker"}, {ThreadUntracked, "untracked"}}}

var stateFlags = flagNames{values: []flagName{
	{TargetBlocked, "blocked"}, {TargetRunnable, "runnable"}, {TargetOnCPU, "on_cpu"}, {TargetUnknown, "unknown"},
}}

var pauseFlags = flagNames{bits: []flagName{{PausedStopped, "stopped"}, {PausedFrozen, "frozen"}}}

var delayFlags = flagNames{bits: []flagName{
	{DelayPreempted, "preempted"}, {DelayIsolated, "isolated"}, {DelayBeforeKernel, "before_kernel"},
	{DelayBeforeOwn, "before_own"}, {DelayBeforeIdle, "before_idle"}, {DelayTakerKernel, "taker_kernel"},
	{DelayTakerOwn, "taker_own"}, {DelayTakerIdle, "taker_idle"},
}}

var sampleFlags = flagNames{values: []flagName{{SampleWake, "wake"}, {SampleCPU, "cpu"}}}

var execFlags = flagNames{bits: []flagName{{ExecFollowed, "followed"}, {ExecKnown, "known"}}}

// oneFlag names the only bit of a kind's Flags.
func oneFlag(flag uint8, name string) flagNames {
	return flagNames{bits: []flagName{{flag, name}}}
}

var (
	stackedSize = unsafe.Sizeof(bpf.PinwatchEventStacked{})
	plainSize   = unsafe.Sizeof(bpf.PinwatchEventPlain{})
)

var specs = [kindCount]spec{
	Thread: {"thread", []string{"off", "wake", "run", "ns_tid", "last_cpu", "why", "comm", "comm2"},
		threadFlags, unsafe.Sizeof(bpf.PinwatchEventThread{}), decodeThread},
	NewTask: {"newtask", []string{"parent", "ns_tid", "clone_flags", "enter"}, birthFlags,
		unsafe.Sizeof(bpf.PinwatchEventNewtask{}), decodeNewTask},
	CloneEnter: {"clone_enter", []string{"clone_flags", "stack", "lock"}, oneFlag(CloneCalled3, "clone3"),
		unsafe.Sizeof(bpf.PinwatchEventCloneEnter{}), decodeCloneEnter},
	CloneExit: {"clone_exit", []string{"ret", "enter"}, flagNames{},
		unsafe.Sizeof(bpf.PinwatchEventReturn{}), decodeReturn},
	ExitEnter:   {"exit_enter", []string{"stack"}, flagNames{}, stackedSize, decodeStacked},
	ProcessExit: {"process_exit", nil, oneFlag(ExitCalled, "exit"), plainSize, decodePlain},
	ProcessFree: {"process_free", nil, flagNames{}, plainSize, decodePlain},
	Sigmask: {"sigmask", []string{"set", "unread"}, lockFlags,
		unsafe.Sizeof(bpf.PinwatchEventSigmask{}), decodeSigmask},
	Sigaltstack: {"sigaltstack", []string{"ss_flags"}, flagNames{},
		unsafe.Sizeof(bpf.PinwatchEventSigaltstack{}), decodeSigaltstack},
	TgkillEnter: {"tgkill_enter", []string{"stack"}, flagNames{}, stackedSize, decodeStacked},
	TgkillExit: {"tgkill_exit", []string{"ret", "enter"}, flagNames{},
		unsafe.Sizeof(bpf.PinwatchEventReturn{}), decodeReturn},
	SignalGenerate: {"signal_generate", []string{"sender", "sender_tgid", "result", "group", "enter", "lock"}, stateFlags,
		unsafe.Sizeof(bpf.PinwatchEventSignalGenerate{}), decodeSignalGenerate},
	SignalDeliver: {"signal_deliver", []string{"end", "call"}, lockFlags,
		unsafe.Sizeof(bpf.PinwatchEventSignalDeliver{}), decodeSignalDeliver},
	Sigreturn: {"sigreturn", []string{"pc"}, flagNames{},
		unsafe.Sizeof(bpf.PinwatchEventSigreturn{}), decodeSigreturn},
	Exec: {"exec", []string{"old_tid", "ns_tid", "from_slot", "to_slot"}, execFlags,
		unsafe.Sizeof(bpf.PinwatchEventExec{}), decodeExec},
	ParentDeath: {"parent_death", []string{"children", "signal"}, flagNames{},
		unsafe.Sizeof(bpf.PinwatchEventParentDeath{}), decodeParentDeath},
	Delay: {"delay", []string{"end", "wait", "before", "before_comm", "before_comm2", "taker", "taker_comm",
		"taker_comm2"}, delayFlags, unsafe.Sizeof(bpf.PinwatchEventDelay{}), decodeDelay},
	Switch: {"switch", []string{"run", "runq", "blocked", "waker", "last_cpu", "why", "lock"},
		turnFlags, unsafe.Sizeof(bpf.PinwatchEventSwitch{}), decodeSwitch},
	ThreadM: {"thread_m", []string{"m", "id", "start", "extra", "read"}, flagNames{},
		unsafe.Sizeof(bpf.PinwatchEventThreadM{}), decodeThreadM},
	Lock: {"lock", []string{"goid", "entry", "ext", "int", "parked", "read"}, lockFlags,
		unsafe.Sizeof(bpf.PinwatchEventLock{}), decodeLock},
	Park: {"park", []string{"stack"}, flagNames{}, stackedSize, decodeStacked},
	Pin:  {"pin", []string{"goid", "ext", "stack"}, flagNames{}, unsafe.Sizeof(bpf.PinwatchEventPin{}), decodePin},

	Sum: {"sum", []string{"until", "switches", "migrations", "run", "runq", "blocked"},
		turnFlags, unsafe.Sizeof(bpf.PinwatchEventSum{}), decodeSum},
	SumLock: {"sum_lock", []string{"until", "checks", "handoffs", "wake", "waker_run"}, flagNames{},
		unsafe.Sizeof(bpf.PinwatchEventSumLock{}), decodeSumLock},

	WindowStart:   {name: "window_start", flags: oneFlag(WindowIntervals, "intervals")},
	WindowCut:     {name: "window_cut"},
	WindowEnd:     {name: "window_end", args: []string{"ended"}, flags: oneFlag(WindowTargetEnded, "target_ended")},
	WindowSettled: {name: "window_settled"},
	Loss:          {name: "loss", args: []string{"kind", "count"}},
	SampleTotal:   {name: "sample_total", args: []string{"n", "sum", "least", "most"}, flags: sampleFlags},
	SampleBucket:  {name: "sample_bucket", args: []string{"value", "n"}, flags: sampleFlags},
	Move:          {name: "move", args: []string{"distance", "why", "n"}},
	Untracked:     {name: "untracked", args: []string{"threads", "turns"}},
	Paused:        {name: "paused", args: []string{"not_before"}, flags: pauseFlags},
	Throttled:     {name: "throttled", args: []string{"not_before", "until"}},
}

// String returns the kind's name in reports and in the text form; "kind(N)" for a number that is no
// kind.
func (k Kind) String() string {
	if k == 0 || k >= kindCount {
		return "kind(" + itoa(uint64(k)) + ")"
	}
	return specs[k].name
}
