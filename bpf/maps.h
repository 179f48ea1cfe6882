// SPDX-License-Identifier: MIT OR GPL-2.0-only
// maps.h: the state of threads and CPUs, and the buffers: what writes it and what deletes it.
#ifndef PINWATCH_MAPS_H
#define PINWATCH_MAPS_H

// Parts that rings are divided in: see ring_share for rings, turn_reserve for turns.
enum ring_layout {
	RING_PARTS = 8,
};

struct ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
};

// Records on their way to user space, but for switches. A ring buffer is written under a lock
// (kernel/bpf/ringbuf.c, __bpf_ringbuf_reserve), so only a few CPUs share one: see ring_of_cpu. The
// loader makes them and sets their number and size.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct ring);
} rings SEC(".maps");

// Switch records on their way to user space: one ring for each of ring_cpus, turns_per_cpu long,
// back to back. Only the switch program writes to a CPU's ring, with interrupts off. So nothing is
// locked, and memory is shared with the reader only. The positions are in cpu_slots. The loader
// sets the size.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct turn);
} turns SEC(".maps");

// Aggregating: the sum of a thread's turns that were not sent, since its state was made. Written at
// its switch-out, except cpu_ns, to which its wakers add.
struct thread_sum {
	__u64 until; // the last of these switch-outs
	__u64 switches;
	__u64 run_ns;
	__u64 runq_ns;
	__u64 blocked_ns;
	__u64 checks; // of its lock, times two; plus one if one of the unreported ones was at a voluntary switch-out
	__u64 handoffs;
	__u64 wake_ns;

	__u64 migrations;
	__u64 cpu_ns;
	__u64 reported; // switches at the last report to user space
	__u64 cpus[2];	// bit set: the first turn there since the boundary was sent
};

// A task at a switch. It may have been freed since: see other_task_read.
struct switched_task {
	__u64 task; // its address
	__u32 tid;
	__u32 tgid;
};

// A thread that will lose its m: its lock stays as it is.
enum leaving {
	LEAVING_MEXIT = 1, // it is in runtime.mexit
	LEAVING_SEEN = 2,  // it is in exit(2) or beyond: an event has shown that, or it was before the attach
};

// State of a thread between two of its events. It is made at task_newtask; for threads that live
// already, before the scheduler's hooks are attached (pw_prepare); for a thread whose birth was not
// seen, at its switch-out. It is written under its run queue's lock (switch), under its wake-up
// lock (waking, wakeup_new, migrate), or by the thread itself. All zero but the tid = nothing seen
// yet. Four cache lines: a switch needs the first, a check of the lock the second, summing the
// third, and a migration, a preemption by the kernel or a report of sums the fourth.
struct thread_state {
	__u32 tid;	   // 0 = the place is free
	__u32 waker;	   // the thread that woke it at wake_time
	__u64 off_time;	   // its last switch-out, or task_newtask
	__u64 wake_time;   // the last wake-up; of the present absence if later than off_time
	__u64 check_time;  // when its lock was last checked, by whatever means
	__u32 read_tick;   // when the lock was last read from memory, in TICK_NS; never much older than check_time
	__u32 wait;	   // where it slept at that read, see waits_as_before; 0 = not seen
	__u32 woken_by;	   // the thread that woke it before the switch-out of the present absence
	__s16 last_cpu;	   // CPU + 1 of the last run; 0 = unknown
	__u8 why;	   // enum migrate_why of the present absence
	__u8 off_runnable; // it left while runnable: the whole absence is waiting
	__u8 fresh;	   // has not run since task_newtask
	__u8 early;	   // a second wake-up came at early_time, before its switch-out
	__u8 lock;	   // enum lock_kind, as emitted last
	__u8 is_m0;
	__u8 blind;	   // its lock is not read: it is an io_worker, or the process has executed another program
	__u8 parked;	   // aggregating: it left its CPU voluntarily and waits for its locked goroutine
	__u8 sent;	   // aggregating: turns in a row that were sent because it was busy
	__u8 again;	   // aggregating: its next turn must be sent, because this one was in the middle of something
	union {
		// What is in progress. User space needs the time off the CPU then, so all turns are
		// sent.
		__u64 busy;
		struct {
			__u8 masked;   // it has blocked SIGURG
			__u8 leaving;  // enum leaving
			__u8 injected; // it was preempted by injection, without a voluntary switch-out since
			__u8 resuming; // it then had a voluntary switch-out, and no switch-in yet
			__u8 starting; // an M that is not ready yet; 2: it has its signal stack
			__u8 calling;  // it is in a clone or tgkill that is traced
			__u8 pending;  // SIGURG is pending for it
			__u8 handling; // it handles a SIGURG
		};
	};

	__u64 m;	   // its runtime.m if it has it for life and user space knows it; else 0
	__u64 lockedg;	   // the lock as emitted last: the goroutine to read first
	__u64 goid;	   // of that goroutine
	__u64 early_time;
	__u32 early_waker;
	__u32 ext;
	__u32 internal;
	__u32 slot;	   // with many: whose thread it is, an index into targets
	__u64 depth_time;  // when ext and internal were read
	__u64 call_time;   // when it entered the clone or tgkill that it is in; 0 = in none that is traced

	struct thread_sum sum;
	struct switched_task taker; // came on the CPU at the last switch-out that left it runnable
	__u64 emitted_m;   // the m of the last KIND_THREAD_M
};

// By tid modulo the number of entries, a power of two: threads with neighbouring tids never
// collide. Mappable only because the kernel page-aligns such arrays. An entry is cleared at the
// thread's last switch-out.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct thread_state);
} thread_table SEC(".maps");

// Threads whose place in thread_table was taken, by tid. Preallocated: the scheduler must not
// allocate. The loader sets the size.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct thread_state);
} thread_overflow SEC(".maps");

// Entries of thread_overflow that are taken, or just being made or deleted. Without any, no program
// searches it.
__u32 overflow_used;

// Result of a check of a lock.
struct lock_seen {
	__u64 m;
	__u64 lockedg;
	__u64 goid;
	__u32 ext;
	__u32 internal;
	__u32 kind; // enum lock_kind
	__u32 parked;
};

// State of a CPU: the target's thread that runs on it, since when (a run never changes its CPU),
// and the positions in its ring of turns. The thread is named by the address of its task, which
// exec does not change; 0 = no thread of the target. Four cache lines: user space writes the
// second, only the CPU writes the others.
struct cpu_slot {
	__u64 run_start;
	__u64 task;
	__u64 head;	 // turns written, ever
	__u64 tail_seen; // the tail when it was last read
	__u64 lost;	 // turns that found the ring full or exceeded the rate, ever
	__u32 quota;	 // turns that may be sent before rate_used is read again
	__u32 woke_locked; // the running thread has woken a locked one
	// Aggregating: when the running thread woke a locked one for its goroutine. A time before
	// run_start is of an earlier run.
	__u64 handoff;
	__u32 handoff_to; // that thread
	__u32 handoff_early; // it had not left its CPU yet

	__u64 tail;	 // turns read, ever
	__u64 unused2[7];

	// Working memory of the switch program, as left below. On its stack the verifier would follow
	// each combination of constants that a path left there to the end: three times as many
	// instructions when aggregating.
	struct event_switch turn;
	struct switched_task before; // left the CPU at run_start
	struct lock_seen lock;
	__u64 untracked; // turns of threads without state, ever
	__u64 delay_ns;	 // waits from here on are delays, see event_delay; user space sets it
	__u32 crowded;	 // with many: its ring of turns is more than half full
	__u32 epoch;	 // how often that was over
	__u32 left;	 // how the thread leaves it: SWITCH_PREEMPTED, SWITCH_DEAD
	__u32 unused3;
};

// By CPU; mapped by user space. The loader sets the size.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct cpu_slot);
} cpu_slots SEC(".maps");

// Aggregating: the time at which one window ends and the next begins, made even, plus the number of
// the next one's bank. User space writes it a little ahead of that time. A thread's turn across it
// is sent, and its sums before that.
__u64 boundary;

// Aggregating: the boundary before that one.
__u64 boundary_before;

// Aggregating: a wake-up before this belongs to no window.
__u64 window_begin;

// Layout of a distribution of nanoseconds: values below SAMPLE_SINGLES have a bucket each, then
// SAMPLE_PER_DOUBLING buckets share each doubling, like an HDR histogram of two digits. The last
// bucket also holds all longer times.
enum sample_layout {
	SAMPLE_SINGLES = 256,
	SAMPLE_PER_DOUBLING = 128,
	SAMPLE_BUCKETS = SAMPLE_SINGLES + 28 * SAMPLE_PER_DOUBLING,
};

struct samples {
	__u64 n;
	__u64 sum;
	__u64 least; // plus one; 0 = none
	__u64 most;
	__u64 buckets[SAMPLE_BUCKETS];
};

enum sample_of {
	SAMPLE_WAKE, // hand-offs to a locked M: wake-up to running
	SAMPLE_CPU,  // CPU time of the waker
	SAMPLE_OFS,
};

// By bank, CPU and enum sample_of. Only that CPU writes. User space clears the bank that no program
// adds to. The loader sets the size.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct samples);
} sample_banks SEC(".maps");

// How far two CPUs are apart, as user space finds it in sysfs.
enum move_distance {
	DISTANCE_UNKNOWN,
	DISTANCE_SMT,	 // the other thread of the core
	DISTANCE_LLC,	 // another core on the last-level cache
	DISTANCE_NODE,	 // beyond that cache, on the memory node
	DISTANCE_REMOTE, // on another node
	DISTANCES,
};

// Migrations by distance and enum migrate_why.
struct moves {
	__u64 by[DISTANCES][4];
};

// By bank and CPU after. Only that CPU writes. The loader sets the size.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct moves);
} move_banks SEC(".maps");

#define DISTANCES_PER_LINE 64
struct distance_line {
	__u8 of[DISTANCES_PER_LINE]; // enum move_distance
};

// By CPU before, then CPU after: a byte each. User space writes it. The loader sets the size.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct distance_line);
} cpu_distances SEC(".maps");

// When the present RATE_WINDOW_NS began, and the turns of its rate_limit that CPUs have taken.
__u64 rate_begin;
__u64 rate_used;

#endif
