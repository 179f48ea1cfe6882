// SPDX-License-Identifier: MIT OR GPL-2.0-only
// maps.h: all state of the kernel side, who writes it and who deletes it.
#ifndef PINWATCH_MAPS_H
#define PINWATCH_MAPS_H

// Records on their way to user space. The loader sets the size.
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
	__type(value, union event);
} ring SEC(".maps");

// Switch records on their way to user space: of every CPU a ring of its own, turns_per_cpu long, back to back. Only the switch
// program writes to a CPU's ring, with interrupts off, so nothing is locked and nothing is shared but with the reader; the
// positions are in cpu_slots. The loader sets the size.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct turn);
} turns SEC(".maps");

// Aggregating: a thread's turns that have not been sent one by one, since its state was made. Written at its switch-out, but for cpu_ns,
// which its wakers add to.
struct thread_sum {
	__u64 until; // the last of these switch-outs
	__u64 switches;
	__u64 run_ns;
	__u64 runq_ns;
	__u64 blocked_ns;
	__u64 looks; // at its lock, times two; plus one when one of those since told was when it left its CPU of its own will
	__u64 handoffs;
	__u64 wake_ns;

	__u64 migrations;
	__u64 cpu_ns;
	__u64 told; // switches, when user space was last told
	__u64 cpus[2]; // those whose first turn since the boundary has been sent
	__u64 unused[2];
};

// What must be remembered of a thread between two of its events. It is made at task_newtask, before the scheduler's hooks are attached for
// threads that live already (pw_prepare), or at the switch-out of a thread whose birth was not seen. Written under its run queue's lock (switch) or its wake-up lock (waking,
// wakeup_new, migrate), or by the thread itself; all zero but the tid = nothing seen yet. Four cache lines: a switch needs the first, a look
// at the lock the second, and adding up the third, with a migration or with telling the fourth.
struct thread_state {
	__u32 tid;	   // 0 = nobody's
	__u32 waker;	   // who woke it at wake_time
	__u64 off_time;	   // when it last left its CPU, or task_newtask
	__u64 wake_time;   // the last waking; of the present absence when later than off_time
	__u64 look_time;   // when its lock was last looked at, by whatever means
	__u32 read_tick;   // when it was last read from memory, in ticks of TICK_NS; it is never much older than look_time
	__u32 wait;	   // where it slept when that was read of it, see waits_as_before; 0 = has not been seen
	__u32 woken_by;	   // who woke it before it had left its CPU for the present absence
	__s16 last_cpu;	   // CPU + 1 of the last run; 0 = not known
	__u8 why;	   // enum migrate_why of the current absence
	__u8 off_runnable; // it left while runnable: the whole absence is waiting
	__u8 fresh;	   // has not run since task_newtask
	__u8 early;	   // it was woken when it had been woken already, and so before it had left its CPU: early_time
	__u8 lock;	   // enum lock_kind, as user space has been told
	__u8 is_m0;
	__u8 blind;	   // the process executes another program by now, whose memory is not to be read with these offsets
	__u8 parked;	   // aggregating: it left its CPU by itself and waits for its locked goroutine
	__u8 sent;	   // aggregating: turns in a row that were sent because it was busy
	__u8 again;	   // aggregating: its next turn is to be sent, for what this one was in the middle of
	union {
		// What is in progress, whose time off the CPU user space wants to know: all turns are sent.
		__u64 busy;
		struct {
			__u8 masked;   // it has blocked SIGURG
			__u8 leaving;  // it is in runtime.mexit or beyond: its m is not its own for long, so its lock stays as it is
			__u8 injected; // it was preempted by injection, and has not left its CPU by itself since
			__u8 resuming; // it has, and has not been back
			__u8 starting; // an M that is not ready yet; 2: it has its signal stack
			__u8 calling;  // it is in a clone or tgkill that matters
			__u8 pending;  // SIGURG waits for it
			__u8 handling; // it handles one
		};
	};

	__u64 m;	   // its runtime.m, when it has it for life and user space has been told; else 0
	__u64 lockedg;	   // the lock as user space has been told of it: whom to ask first whether it still holds
	__u64 goid;	   // the same
	__u64 early_time;
	__u32 early_waker;
	__u32 ext;
	__u32 internal;
	__u32 unused2;
	__u64 depth_time;  // when ext and internal were read
	__u64 call_time;   // the thread is in a clone or tgkill that it entered then; 0 = in none that matters

	struct thread_sum sum;
	__u64 told_m;	   // the m that user space has been told of
};

// By tid modulo the number of entries, a power of two: of threads with neighbouring tids none is in another's way. Mappable only
// because the kernel aligns such arrays. Deleted at the thread's last switch-out.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct thread_state);
} thread_table SEC(".maps");

// Those whose place there was taken, by tid, preallocated: the scheduler must not allocate.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct thread_state);
} thread_overflow SEC(".maps");

// How many threads have been put there, ever: as long as there is none, nobody looks.
__u32 overflowed;

// What a look at a lock finds.
struct lock_seen {
	__u64 m;
	__u64 lockedg;
	__u64 goid;
	__u32 ext;
	__u32 internal;
	__u32 kind; // enum lock_kind
	__u32 parked;
};

// What a CPU knows: which thread of the target runs on it, and since when (a run never changes its CPU), and how far its ring of
// turns is written and read. The thread is named by the address of its task, which exec does not change; 0 = none of the target's.
// Four cache lines: the second is written by user space, the others by the CPU alone.
struct cpu_slot {
	__u64 since;
	__u64 task;
	__u64 head;	 // turns written, ever
	__u64 tail_seen; // the tail, as last looked up
	__u64 lost;	 // turns that found the ring full, or were too many, ever
	__u32 quota;	 // turns that may be sent before rate_used is looked at again
	__u32 woke_locked; // the thread that runs has woken a locked one
	__u64 handoff;	 // aggregating: when the thread that runs has woken a locked one for its goroutine; before since = not in this run
	__u32 handoff_to; // whom
	__u32 handoff_early; // it had not left its CPU yet

	__u64 tail;	 // turns read, ever
	__u64 unused2[7];

	// What the switch program works on. Not on its stack: whatever combination of constants a path left there the verifier would
	// follow to the end by itself, three times as many instructions as it has to this way when aggregating.
	struct event_switch turn;
	__u64 unused3[2];
	struct lock_seen look;
	__u64 unused4[3];
};

// By CPU; mapped by user space. The loader sets the size.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct cpu_slot);
} cpu_slots SEC(".maps");

// Aggregating: when one window ends and the next begins, even, plus which bank is the next one's. User space writes it a little ahead of
// that time. A thread's turn across it is sent, with its sums before it.
__u64 boundary;

// Aggregating: the boundary before that one.
__u64 boundary_before;

// Aggregating: a waking before this is no window's.
__u64 window_begin;

// A distribution of nanoseconds: values below 256 have a bucket each, then 128 buckets share each doubling, as HDR histograms of two
// digits have it. What is longer than the last is in the last.
#define SAMPLE_BUCKETS (256 + 28 * 128)
struct samples {
	__u64 n;
	__u64 sum;
	__u64 least; // plus one; 0 = none
	__u64 most;
	__u64 buckets[SAMPLE_BUCKETS];
};

enum sample_of {
	SAMPLE_WAKE, // hand-offs to a locked M: waking to running
	SAMPLE_CPU,  // CPU time of the waker
	SAMPLE_OFS,
};

// By bank, CPU and enum sample_of: only that CPU writes. User space sets back the bank that nobody adds to. The loader sets the size.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct samples);
} sample_banks SEC(".maps");

// Migrations by enum migrate_why. By bank, CPU before and CPU after, which alone writes.
struct moves {
	__u64 by_why[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct moves);
} move_banks SEC(".maps");

// Records that found no room in the ring, by kind. Read by user space through a mapping, never by a system call: map system
// calls keep tracepoint programs from running (kernel/bpf/syscall.c, bpf_disable_instrumentation).
__u64 lost[KIND_COUNT];

// When the present RATE_WINDOW_NS began, and the turns that CPUs have taken of its rate_limit.
__u64 rate_begin;
__u64 rate_used;

// Set when the target's tgid is given to a new process: from then on nothing is observed.
__u32 target_gone;

// Set when a lock has been read that proves its offsets: a goroutine that says itself which M it is locked to.
__u32 lock_proved;

// Set when the target has executed another program: threads that begin from then on are blind.
__u32 runtime_gone;

#endif
