// SPDX-License-Identifier: MIT OR GPL-2.0-only
// event.h: the one definition of every record that leaves the kernel. bpf2go generates Go's mirror
// from it, and events/ decodes by the header's kind. Records are naturally aligned and have no
// padding (-Wpadded).
//
// Times are CLOCK_MONOTONIC nanoseconds of the initial time namespace. A tid is the one in the
// initial PID namespace unless its comment names another namespace.
#ifndef PINWATCH_EVENT_H
#define PINWATCH_EVENT_H

enum event_kind {
	KIND_NONE,
	KIND_THREAD,	      // a living thread: the snapshot iterator's answer
	KIND_NEWTASK,	      // task_newtask with CLONE_THREAD, in the parent
	KIND_CLONE_ENTER,     // enter of clone or clone3 with CLONE_THREAD; with config.h's light, in task_newtask
	KIND_CLONE_EXIT,      // exit of that call in the parent
	KIND_EXIT_ENTER,      // enter of exit(2)
	KIND_PROCESS_EXIT,    // sched_process_exit of one thread; flags: enum exit_flag
	KIND_PROCESS_FREE,    // sched_process_free of one thread
	KIND_SIGMASK,	      // enter of rt_sigprocmask(SIG_SETMASK, set)
	KIND_SIGALTSTACK,     // enter of sigaltstack(ss)
	KIND_TGKILL_ENTER,    // enter of tgkill(…, SIGURG); with config.h's light, in signal_generate
	KIND_TGKILL_EXIT,     // exit of that call
	KIND_SIGNAL_GENERATE, // SIGURG generated for a thread of the target
	KIND_SIGNAL_DELIVER,  // SIGURG delivered on a thread of the target; flags: enum lock_kind
	KIND_SIGRETURN,	      // enter of rt_sigreturn
	KIND_EXEC,	      // the process executed another program; its one thread may have a new tid
	KIND_SWITCH,	      // a switch-out: one whole turn, see struct event_switch
	KIND_THREAD_M,	      // the M of a thread became known
	KIND_LOCK,	      // the lock of a thread's M differs from the one emitted last
	KIND_PARK,	      // a locked goroutine's first voluntary switch-out since its preemption by injection
	KIND_PIN,	      // enter of runtime.LockOSThread
	KIND_SUM,	      // aggregating: the sum of a thread's turns that were not sent
	KIND_SUM_LOCK,	      // aggregating: what these turns showed of its lock
	KIND_PARENT_DEATH,    // a thread ends whose children have asked for a signal then (PR_SET_PDEATHSIG)
	KIND_DELAY,	      // a locked thread had waited long for a CPU before the turn that ends
	KIND_COUNT,
};

struct event_header {
	__u64 time;
	__u32 tid;
	__u16 cpu;
	__u8 kind;
	__u8 flags; // by kind
};

// The user stack by frame pointers: the interrupted or calling instruction first, then return
// addresses.
#define MAX_FRAMES 64
struct user_stack {
	__u32 depth; // 0 = no stack could be taken
	__u32 unused;
	__u64 pcs[MAX_FRAMES];
};

// A thread's lock as read from the runtime's memory.
enum lock_kind {
	LOCK_UNREAD,  // not read: the offsets are unknown, or the process has executed another program
	LOCK_UNKNOWN, // read, but the values fail the self-check
	LOCK_FOREIGN, // the thread has no g: the runtime does not know it
	LOCK_NONE,
	LOCK_USER,    // lockedExt > 0
	LOCK_RUNTIME, // only lockedInt > 0
	LOCK_ORPHAN,  // lockedExt > 0 and no goroutine: it exited while locked; the M ends (m0: is parked for ever)
};

// State of a thread when the snapshot iterator reads it.
enum thread_flag {
	THREAD_ON_CPU = 1,
	THREAD_RUNNABLE = 2,     // waits for a CPU
	THREAD_EXITED = 4,       // a zombie: its last switch-out is over
	THREAD_OFF_RUNNABLE = 8, // it was still runnable when it left its CPU at off_time
	THREAD_NEW = 16,         // it has not run since task_newtask
	THREAD_IO_WORKER = 32,   // the kernel made it for its own work: it has no M, and its g is a copy
	THREAD_UNTRACKED = 128,  // there was no room for its state; also of KIND_NEWTASK
};

// Times are 0 when the programs have not seen the thread leave, wake or run.
struct event_thread {
	struct event_header h;
	__u64 off_time;
	__u64 wake_time;
	__u64 run_time;
	__u32 ns_tid;   // in pinwatch's PID namespace
	__s16 last_cpu; // -1: never ran
	__u8 why;
	__u8 unused;
	char comm[16];
	__u64 g_base; // the thread pointer; where g is kept in a register, that register
	__u64 m;      // its runtime.m; 0 = unknown, or the thread does not have it for life
	__u32 innermost_tid; // in the thread's innermost PID namespace: what gettid returns to it
	__u32 last;	     // 1 = it is the last thread of its process's list
};

struct event_newtask {
	struct event_header h; // tid is the child's; flags: THREAD_IO_WORKER
	__u32 parent;
	__u32 ns_tid; // the child's, in pinwatch's PID namespace
	__u64 clone_flags;
	__u64 enter; // time of the parent's KIND_CLONE_ENTER; 0 = not seen
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
	__u64 enter; // time of the enter
};

// Kinds without further values.
struct event_plain {
	struct event_header h;
};

// Kinds with a stack only.
struct event_stacked {
	struct event_header h;
	struct user_stack stack;
};

// Flags of KIND_PROCESS_EXIT.
enum exit_flag {
	EXIT_CALLED = 1, // the thread is in exit(2)
};

struct event_sigmask {
	struct event_header h; // flags: enum lock_kind
	__u64 set; // bit n-1 = signal n blocked
	__u64 unread; // 1 = the set could not be read
};

struct event_sigaltstack {
	struct event_header h;
	__u32 ss_flags; // SS_DISABLE = 2
	__u32 unused;
};

// Where the target thread of a signal was when it was generated; flags of KIND_SIGNAL_GENERATE.
enum target_state {
	TARGET_BLOCKED,
	TARGET_RUNNABLE,
	TARGET_ON_CPU,
	TARGET_UNKNOWN, // it was just being switched out, or its switch-in was not traced
};

struct event_signal_generate {
	struct event_header h; // tid is the target thread's
	__u32 sender; // tid; 0 = the kernel itself
	__u32 sender_tgid;
	__u32 result; // enum of include/trace/events/signal.h: 0 delivered, 1 ignored, 2 already pending, …
	__u16 group;  // 1 = for the process, not for this thread
	__u8 lock;    // enum lock_kind of the target thread, read by the sender
	__u8 unused;
	__u64 enter; // time of the sender's KIND_TGKILL_ENTER; 0 = the signal was sent by other means
};

// What a signal does to the system call that the thread waits in.
enum call_end {
	CALL_NONE,	  // it is in none, or that has ended by itself
	CALL_RESTARTED,	  // the kernel begins it again after the handler
	CALL_INTERRUPTED, // it returns EINTR
	CALL_UNKNOWN,	  // one of the two: does not show on this architecture
};

struct event_signal_deliver {
	struct event_header h; // flags: enum lock_kind
	__u32 end;	       // enum call_end
	__u32 call;	       // number of the system call, unless CALL_NONE
};

struct event_sigreturn {
	struct event_header h;
	__u64 pc; // where the interrupted code resumes, from the signal frame; 0 = not readable
};

// A file with one content: whoever changes that sets ctime. Its clock ticks every 1 to 10 ms.
struct file_identity {
	__u64 ino, size;
	__s64 ctime_s; // CLOCK_REALTIME; 0 = the file system keeps none
	__u32 ctime_ns;
	__u32 dev; // the kernel's s_dev: minor number in the low 20 bits
	__u32 generation, unused; // the first differs where the file system notes that a number is used again
};

// Flags of KIND_EXEC.
enum exec_flag {
	EXEC_FOLLOWED = 1, // a target, or a process that is followed, has started the process
	EXEC_KNOWN = 2,	   // the runtime is known from the program's first instruction on
};

struct event_exec {
	struct event_header h; // tid is the new one: the process's; flags: enum exec_flag
	__u32 old_tid;
	__u32 ns_tid;
	// What /proc/PID/exe leads to: of a script its interpreter (fs/exec.c, exec_binprm).
	struct file_identity file;
	char path[216]; // with a last 0, cut to that: as execve was given it: of a script the script's
	// With many: the target that the process was and the one that it is now, by slot; NO_SLOT =
	// none. Equal: it stays the same target.
	__u32 from_slot;
	__u32 to_slot;
};

struct event_parent_death {
	struct event_header h;
	__u32 children; // that the thread made and that get the signal
	__u32 signal;	// of the first of them
};

// A task that ran where a thread of the target wanted to run.
struct other_task {
	__u32 id; // of a thread of the target: its tid; else its process's, in pinwatch's PID namespace; 0 = not known
	__u32 unused;
	char comm[16]; // empty = it has ended
};

enum delay_flag {
	DELAY_PREEMPTED = 1, // the thread had left its CPU still runnable, for the taker
	DELAY_ISOLATED = 2,  // on a CPU that the machine keeps for chosen threads
	DELAY_BEFORE_KERNEL = 4, // the task before is a kernel thread
	DELAY_BEFORE_OWN = 8,	 // it is a thread of the target
	DELAY_BEFORE_IDLE = 16,	 // there was none: the CPU was idle
	DELAY_TAKER_KERNEL = 32, // the same for the taker
	DELAY_TAKER_OWN = 64,
	DELAY_TAKER_IDLE = 128,
	DELAY_TAKER_SHIFT = 3, // of the last three from those before
};

struct event_delay {
	struct event_header h; // the switch-out; flags: enum delay_flag
	__u64 end;	       // the switch-in
	__u64 wait_ns;
	struct other_task before; // left the CPU when the thread came on it
	struct other_task taker;  // came on the CPU when the thread left it
};

// One turn of a thread, sent at its switch-out at h.time. The thread had left its CPU before, slept
// for blocked_ns, waited for a CPU for runq_ns and ran for run_ns, so its switch-out before was at
// h.time - run_ns - runq_ns - blocked_ns. Without SWITCH_RUN the switch-in was not seen: run_ns and
// runq_ns are 0, and the time after blocked_ns is unknown.
enum switch_flag {
	SWITCH_RUN = 1,	       // run_ns is known: the switch-in was seen
	SWITCH_OFF = 2,	       // blocked_ns + runq_ns is the whole time off the CPU: the switch-out before was seen
	SWITCH_WAKE = 4,       // runq_ns begins at a wake-up
	SWITCH_FIRST = 8,      // the thread's first turn: task_newtask takes the place of the switch-out before
	SWITCH_PREEMPTED = 16, // it is still runnable
	SWITCH_DEAD = 32,      // its last switch-out
	SWITCH_PARKED = 64,    // its locked goroutine does not run: the thread waits for it in the runtime's scheduler
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
	__u32 waker;    // tid of the target's thread that woke it; 0 = from outside; its own = by a signal, see waker_of
	__s16 last_cpu; // the CPU of its run before; -1 = unknown
	__u8 why;
	__u8 lock; // enum lock_kind
};

// Layout of struct turn's why_lock: enum migrate_why in the low bits, enum lock_kind above them.
enum turn_pack {
	TURN_LOCK_SHIFT = 4,
	TURN_WHY_MASK = 15,
};

// The same turn in half a cache line, in the ring of its CPU. It fits when no part takes 4 s.
struct turn {
	__u64 time;
	__u32 tid;
	__u32 waker;
	__u32 run_ns;
	__u32 runq_ns;
	__u32 blocked_ns;
	__s16 last_cpu;
	__u8 flags;
	__u8 why_lock; // enum turn_pack
};

// Aggregating: the sum of all turns of a thread that had no record of their own, since the first of
// them. A later record's sums include those of an earlier one. The summed turns lie between the
// turns that were sent and join them, up to the switch-out at until. flags: SWITCH_PREEMPTED and
// SWITCH_PARKED of that switch-out.
struct event_sum {
	struct event_header h;
	__u64 until;
	__u64 switches;
	__u64 migrations;
	__u64 run_ns;
	__u64 runq_ns;
	__u64 blocked_ns;
};

// Aggregating: checks of the lock in these turns, and hand-offs to the locked goroutine.
// flags: 1 = one of the new checks was at a voluntary switch-out.
struct event_sum_lock {
	struct event_header h;
	__u64 until;
	__u64 checks; // the last of them at most LOCKED_AGE_NS before until
	__u64 handoffs;
	__u64 wake_ns;
	__u64 cpu_ns;
};

struct event_thread_m {
	struct event_header h;
	__u64 m;     // address
	__u64 id;    // m.id
	__u64 start; // address of the M's first function (m.mstartfn); 0 = none
	__u64 extra; // 1 = an extra M, lent to a thread of C code
};

struct event_lock {
	struct event_header h; // flags: enum lock_kind
	__u64 goid;	       // of the locked goroutine; 0 = none
	__u64 entry;	       // address of its first function
	__u32 ext;	       // m.lockedExt
	__u32 internal;	       // m.lockedInt
	__u64 parked;	       // 1 = the goroutine does not run
};

struct event_pin {
	struct event_header h;
	__u64 goid;   // of the caller; 0 = not readable
	__u64 caller; // the return address
	__u64 ext;    // lockedExt before the call; ~0 = unknown
	struct user_stack stack;
};

// The snapshot iterator's answer about one thread: sums that were not emitted yet (kind 0 = none),
// and its state.
struct snapshot {
	struct event_sum_lock sum_lock;
	struct event_sum sum;
	struct event_thread thread;
};

// The resolver iterator's answer about one process.
struct resolved {
	__u32 tgid;  // in the initial PID namespace
	__u32 level; // depth of pinwatch's PID namespace
	__u32 task_flags;
	__u32 threads;
	__s64 clock_ahead; // of pinwatch's CLOCK_MONOTONIC, ns: the offset of its time namespace
};

// The throttle iterator's answer: a CPU on which no thread of the process may run, since the quota
// of CPU time of its cgroup, or of one above it, is used up. The last answer has the CPU
// NOT_THROTTLED.
enum throttle { NOT_THROTTLED = 0xffffffff };

struct throttled {
	__u64 time;
	__u64 until; // the end of the quota's period
	__u32 cpu;
	__u32 unused;
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
	struct event_signal_deliver signal_deliver;
	struct event_sigreturn sigreturn;
	struct event_exec exec;
	struct event_parent_death parent_death;
	struct event_delay delay;
	struct event_switch turn;
	struct event_stacked stacked;
	struct event_sum sum;
	struct event_sum_lock sum_lock;
	struct event_thread_m thread_m;
	struct event_lock lock;
	struct event_pin pin;
};

#endif
