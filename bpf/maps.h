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

// What must be remembered of a thread between two of its events. It is made at task_newtask, or before the scheduler's hooks are
// attached for threads that live already (pw_prepare): the scheduler must not allocate. Written under its run queue's
// lock (switch) or its wake-up lock (waking, wakeup_new, migrate), or by the thread itself; all zero = nothing seen yet.
// Two cache lines: what a switch needs comes first.
struct thread_state {
	__u64 off_time;	   // when it last left its CPU, or task_newtask
	__u64 wake_time;   // the last waking off the CPU; of the present absence when later than off_time
	__u64 m;	   // its runtime.m, when it has it for life and user space has been told; else 0
	__u64 lockedg;	   // the lock as user space has been told of it: whom to ask first whether it still holds
	__u64 goid;
	__u32 ext;
	__u32 internal;
	__u32 waker;	   // who woke it
	__u32 early_waker; // who woke it before it had left the CPU
	__s16 last_cpu;	   // CPU + 1 of the last run; 0 = not known
	__u8 why;	   // enum migrate_why of the current absence
	__u8 off_runnable; // it left while runnable: the whole absence is waiting
	__u8 fresh;	   // has not run since task_newtask
	__u8 lock;	   // enum lock_kind, as user space has been told
	__u8 masked;	   // it has blocked SIGURG
	__u8 leaving;	   // it is in runtime.mexit or beyond: its m is not its own for long, so its lock stays as it is
	__u8 injected;	   // it was preempted by injection, and has not left its CPU by itself since
	__u8 is_m0;
	__u8 unused[6];
	__u64 call_time;   // the thread is in a clone or tgkill that it entered then; 0 = in none that matters
	__u64 depth_time;  // when ext and internal were read
	__u64 told_m;	   // the m that user space has been told of
};

// Deleted by the kernel together with the task.
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread_state);
} thread_storage SEC(".maps");

// The same by tid where task storage does not exist, preallocated.
// Deleted at the thread's last switch-out.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 16);
	__type(key, __u32);
	__type(value, struct thread_state);
} thread_hash SEC(".maps");

// Which thread of the target runs on a CPU, and since when. A run never changes its CPU, so this may be kept by CPU; it is an
// array of its own cache lines, because wakers and the snapshot look at other CPUs' slots. The thread is named by the
// address of its task, which exec does not change; 0 = none of the target's.
#define MAX_CPUS 4096
struct cpu_slot {
	__u64 since;
	__u64 task;
	__u64 unused[6];
};
struct cpu_slot cpu_slots[MAX_CPUS];

// Records that found no room in the ring, by kind. Read by user space through a mapping, never by a system call: map system
// calls keep tracepoint programs from running (kernel/bpf/syscall.c, bpf_disable_instrumentation).
__u64 lost[KIND_COUNT];

// Set when the target's tgid is given to a new process: from then on nothing is observed.
__u32 target_gone;

// Set when a lock has been read that proves its offsets: a goroutine that says itself which M it is locked to.
__u32 lock_proved;

// Set when the target has executed another program: the offsets are the old one's.
__u32 runtime_gone;

#endif
