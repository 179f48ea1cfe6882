// SPDX-License-Identifier: MIT OR GPL-2.0-only
// event.h: the one definition of every record that leaves the kernel. Go's mirror is generated from it (bpf2go), and
// events/ decodes by the header's kind. Records are naturally aligned and have no padding (-Wpadded).
//
// Times are CLOCK_MONOTONIC nanoseconds. A tid is the kernel's own (initial PID namespace) unless it says otherwise.
#ifndef PINWATCH_EVENT_H
#define PINWATCH_EVENT_H

// Bumped when a record changes its meaning or its layout.
#define WIRE_VERSION 3

enum event_kind {
	KIND_NONE,
	KIND_THREAD,	     // a thread that lives: answer of the snapshot iterator
	KIND_NEWTASK,	     // task_newtask with CLONE_THREAD, in the parent
	KIND_CLONE_ENTER,    // enter of clone or clone3 with CLONE_THREAD; in light from within task_newtask
	KIND_CLONE_EXIT,     // exit of that call in the parent
	KIND_EXIT_ENTER,     // enter of exit(2)
	KIND_PROCESS_EXIT,   // sched_process_exit of one thread; flags: 1 = by exit(2)
	KIND_PROCESS_FREE,   // sched_process_free of one thread
	KIND_SIGMASK,	     // enter of rt_sigprocmask(SIG_SETMASK, set)
	KIND_SIGALTSTACK,    // enter of sigaltstack(ss)
	KIND_TGKILL_ENTER,   // enter of tgkill(…, SIGURG); in light from within signal_generate
	KIND_TGKILL_EXIT,    // exit of that call
	KIND_SIGNAL_GENERATE, // SIGURG generated for a thread of the target
	KIND_SIGNAL_DELIVER, // SIGURG delivered on a thread of the target; flags: enum lock_kind
	KIND_SIGRETURN,	     // enter of rt_sigreturn
	KIND_EXEC,	     // the process executed another program; its one thread may have a new tid
	KIND_SWITCH,	     // a thread left its CPU: one whole turn, see struct event_switch
	KIND_THREAD_M,	     // a thread and its M have found each other
	KIND_LOCK,	     // the lock of a thread's M is another than last told
	KIND_PARK,	     // a locked goroutine's first voluntary switch-out since it was preempted by injection
	KIND_PIN,	     // enter of runtime.LockOSThread
	KIND_SUM,	     // aggregating: turns of a thread that were not sent, added up
	KIND_SUM_LOCK,	     // aggregating: what these turns showed of its lock
	KIND_COUNT,
};

struct event_header {
	__u64 time;
	__u32 tid;
	__u16 cpu;
	__u8 kind;
	__u8 flags; // by kind
};

// The user stack, by frame pointers: the interrupted or calling instruction first, then return addresses.
#define MAX_FRAMES 64
struct user_stack {
	__u32 depth; // 0 = not to be had
	__u32 unused;
	__u64 pcs[MAX_FRAMES];
};

// What the runtime's memory says of a thread's lock.
enum lock_kind {
	LOCK_UNREAD,  // not read: the offsets are not known, or the program is another one by now
	LOCK_UNKNOWN, // read, and what was read does not pass the self-check
	LOCK_FOREIGN, // the thread has no g: the runtime does not know it
	LOCK_NONE,
	LOCK_USER,    // lockedExt > 0
	LOCK_RUNTIME, // only lockedInt > 0
	LOCK_ORPHAN,  // lockedExt > 0 and no goroutine: it exited while locked; the M ends, or, m0, is parked for ever
};

// A thread as the snapshot iterator finds it. Times are 0 when the programs have not seen it leave, wake or run.
enum thread_flag {
	THREAD_ON_CPU = 1,
	THREAD_RUNNABLE = 2, // waits for a CPU
	THREAD_EXITED = 4,   // a zombie: its last switch-out lies behind it
	THREAD_OFF_RUNNABLE = 8, // it left its CPU at off_time still runnable
	THREAD_NEW = 16,     // has not run since task_newtask
};

struct event_thread {
	struct event_header h;
	__u64 off_time;
	__u64 wake_time;
	__u64 run_time;
	__u32 ns_tid; // in pinwatch's PID namespace
	__s16 last_cpu; // -1: never ran
	__u8 why;
	__u8 unused;
	char comm[16];
	__u64 g_base;  // thread pointer; where g is kept in a register, that register
	__u64 m;       // its runtime.m; 0 = not known, or not for good
	__u32 own_tid; // in the target's own PID namespace
	__u32 unused2;
};

struct event_newtask {
	struct event_header h; // tid is the child's
	__u32 parent;
	__u32 ns_tid; // the child's in pinwatch's PID namespace
	__u64 clone_flags;
	__u64 enter; // the time of the parent's KIND_CLONE_ENTER; 0 = not seen
};

struct event_clone_enter {
	struct event_header h; // flags: 1 = clone3
	__u64 clone_flags;
	__u64 lock; // enum lock_kind of the caller
	struct user_stack stack;
};

// Exit of a clone or tgkill whose enter was seen.
struct event_return {
	struct event_header h;
	__s64 ret;
	__u64 enter; // when
};

// Kinds that say it all by happening.
struct event_plain {
	struct event_header h;
};

// Kinds that say it all by happening there.
struct event_stacked {
	struct event_header h;
	struct user_stack stack;
};

struct event_sigmask {
	struct event_header h; // flags: enum lock_kind
	__u64 set; // bit n-1 = signal n blocked
};

struct event_sigaltstack {
	struct event_header h;
	__u32 ss_flags; // SS_DISABLE = 2
	__u32 unused;
};

// Where the target of a signal was when it was generated; h.flags of KIND_SIGNAL_GENERATE.
enum target_state {
	TARGET_BLOCKED,
	TARGET_RUNNABLE,
	TARGET_ON_CPU,
	TARGET_UNKNOWN, // just being switched out, or its switch-in was not traced
};

struct event_signal_generate {
	struct event_header h; // tid is the target thread's
	__u32 sender; // tid; 0 = the kernel itself
	__u32 sender_tgid;
	__u32 result; // enum of include/trace/events/signal.h: 0 delivered, 1 ignored, 2 already pending, …
	__u16 group;  // 1 = for the process, not for this thread
	__u8 lock;    // enum lock_kind of the target thread, as the sender sees it
	__u8 unused;
	__u64 enter;  // the time of the sender's KIND_TGKILL_ENTER; 0 = it sent by other means
};

struct event_sigreturn {
	struct event_header h;
	__u64 pc; // where the interrupted code goes on, from the signal frame; 0 = not readable
};

struct event_exec {
	struct event_header h; // tid is the new one: the process's
	__u32 old_tid;
	__u32 ns_tid;
};

// One turn of a thread, sent when it leaves the CPU at h.time: it had left its CPU before, slept for blocked_ns, waited for a
// CPU for runq_ns and ran for run_ns, so that it left before at h.time - run - runq - blocked. Without SWITCH_RUN the switch-in
// was not seen: run_ns and runq_ns are 0, and what follows blocked_ns is not known.
enum switch_flag {
	SWITCH_RUN = 1,	     // run_ns is known: the switch-in was seen
	SWITCH_OFF = 2,	     // blocked_ns + runq_ns is the whole time off the CPU: the switch-out before was seen
	SWITCH_WAKE = 4,     // runq_ns begins at a waking
	SWITCH_FIRST = 8,    // the thread's first turn; "left before" is task_newtask
	SWITCH_PREEMPTED = 16, // leaves while still runnable
	SWITCH_DEAD = 32,    // leaves for ever
	SWITCH_PARKED = 64,  // its locked goroutine does not run: the thread waits for it in the runtime's scheduler
};

enum migrate_why {
	WHY_UNKNOWN,
	WHY_WAKEUP,   // placed by the wake-up
	WHY_BALANCE,  // pulled or pushed while waiting
	WHY_AFFINITY, // the CPU it was on is no longer allowed
};

struct event_switch {
	struct event_header h;
	__u64 run_ns;
	__u64 runq_ns;
	__u64 blocked_ns;
	__u32 waker; // tid of the target's thread that woke it; 0 = somebody else
	__s16 last_cpu; // where it ran before; -1 = not known
	__u8 why;
	__u8 lock; // enum lock_kind
};

// The same in the ring of its CPU, in half a cache line, when it fits: no part of the turn takes 4 s.
struct turn {
	__u64 time;
	__u32 tid;
	__u32 waker;
	__u32 run_ns;
	__u32 runq_ns;
	__u32 blocked_ns;
	__s16 last_cpu;
	__u8 flags;
	__u8 why_lock; // enum migrate_why, and enum lock_kind << 4
};

// Aggregating: the turns of a thread that no record of their own told of, since the first of them all: the sums of a later record hold
// those of an earlier one. They lie between the turns that were sent: together they join, up to the switch-out at until. flags:
// SWITCH_PREEMPTED and SWITCH_PARKED of that switch-out.
struct event_sum {
	struct event_header h;
	__u64 until;
	__u64 switches;
	__u64 migrations;
	__u64 run_ns;
	__u64 runq_ns;
	__u64 blocked_ns;
};

// The looks at the lock in these turns, and the hand-offs to the goroutine that it is locked to. flags: 1 = one of the looks that are new was
// when the thread left its CPU of its own will.
struct event_sum_lock {
	struct event_header h;
	__u64 until;
	__u64 looks; // the last of them no more than LOCKED_AGE_NS before until
	__u64 handoffs;
	__u64 wake_ns;
	__u64 cpu_ns;
};

struct event_thread_m {
	struct event_header h;
	__u64 m;     // address
	__u64 id;    // m.id
	__u64 start; // address of the function the M began with (m.mstartfn); 0 = none
	__u64 extra; // 1 = an extra M, lent to a thread of C code
};

struct event_lock {
	struct event_header h; // flags: enum lock_kind
	__u64 goid;	       // of the locked goroutine; 0 = none
	__u64 entry;	       // address of the function it began with
	__u32 ext;	       // m.lockedExt
	__u32 internal;	       // m.lockedInt
	__u64 parked;	       // 1 = that goroutine does not run
};

struct event_pin {
	struct event_header h;
	__u64 goid;   // who calls; 0 = not readable
	__u64 caller; // where it returns to
	__u64 ext;    // lockedExt before; ~0 = not known
	struct user_stack stack;
};

// What the snapshot iterator answers about one thread: what was added up of it and is not told yet (kind 0 = nothing), and how it is found.
struct snapshot {
	struct event_sum_lock sum_lock;
	struct event_sum sum;
	struct event_thread thread;
};

// What the resolver iterator answers about one process.
struct resolved {
	__u32 tgid; // in the initial PID namespace
	__u32 level; // of pinwatch's PID namespace
	__u32 task_flags;
};

union event {
	struct event_header header;
	struct event_thread thread;
	struct event_newtask newtask;
	struct event_clone_enter clone_enter;
	struct event_return ret;
	struct event_plain plain;
	struct event_sigmask sigmask;
	struct event_sigaltstack sigaltstack;
	struct event_signal_generate signal_generate;
	struct event_sigreturn sigreturn;
	struct event_exec exec;
	struct event_switch turn;
	struct event_stacked stacked;
	struct event_sum sum;
	struct event_sum_lock sum_lock;
	struct event_thread_m thread_m;
	struct event_lock lock;
	struct event_pin pin;
};

#endif
