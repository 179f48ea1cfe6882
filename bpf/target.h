// SPDX-License-Identifier: MIT OR GPL-2.0-only
// target.h: what the kernel side knows of targets and of processes that may become some, and which
// process is one. Without many there is one target, and the compiler and the verifier turn that
// question into a comparison with a constant.
#ifndef PINWATCH_TARGET_H
#define PINWATCH_TARGET_H

// What the programs know of a target. Written by programs, and read by user space through a mapping,
// never by a system call: map system calls keep tracepoint programs from running
// (kernel/bpf/syscall.c, bpf_disable_instrumentation).
struct target {
	__u32 tgid; // in the initial PID namespace; 0 = the slot is free, or user space has dropped the target
	__u32 slot; // with many: its own index

	// Set when the process is observed no more: its tgid was given to a new process, or it has
	// executed a program and found no slot for it.
	__u32 gone;

	// Set when the process has executed another program. Threads that begin from then on are
	// blind.
	__u32 runtime_gone;

	// The task that led the process and has ended, see thread_tid. 0 = the leader lives.
	__u64 old_leader;

	// The old leader after the exec, if its last switch-out may still come. Its tid was the
	// executing thread's and means nothing any more.
	__u64 gone_leader;

	// The tid that the old leader had when the kernel freed it; 0 = its memory is still its own.
	__u32 old_leader_tid;

	// Set when a lock was read that proves its offsets, here or by user space: a goroutine whose
	// lockedm is the M that names it.
	__u32 lock_proved;

	__u32 ns_tgid;	 // with many: in pinwatch's PID namespace
	__u32 preparing; // with many: user space makes the state of its living threads now, and it alone

	// With many: when the present RATE_WINDOW_NS began, and the turns of its rate_limit that CPUs
	// have taken.
	__u64 rate_begin;
	__u64 rate_used;

	// Threads that found no room for their state, ever. Some may have got it later.
	__u64 untracked;

	// With many: turns that found no room, and turns of threads without state, where struct share
	// does not count them.
	__u64 lost_turns;
	__u64 untracked_turns;

	// Records that found no room in the ring, by kind.
	__u64 lost[KIND_COUNT];

	struct go_runtime runtime; // with many; user space writes it
};

// The target, unless there are many.
struct target alone;

// With many: the targets, by slot. The loader sets the size.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct target);
} targets SEC(".maps");

enum target_hint {
	HINT_BITS = 16,
	HINTS = 1 << HINT_BITS,
	HINT_TGID_SHIFT = 32,
	NO_SLOT = 0xffffffff,
};

// With many: of the targets whose tgids have the same low HINT_BITS bits, the one that came last: its
// tgid in the high half, its slot plus one in the low half; 0 = there is none. This is all that a
// switch of another process reads. Programs only add targets. User space takes them out, or puts
// another one in their place, by an exchange that compares.
struct target_hints {
	__u64 of[HINTS];
};

// One element: a program looks it up once for both sides of a switch. Without many the loader shrinks
// it.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct target_hints);
} target_hints SEC(".maps");

// With many: a process that is or was a target, or is followed.
struct process {
	__u32 slot;	// its last one as a target, plus one, as that slot's tgid confirms; 0 = it was none
	__u32 followed; // it becomes a target when it executes a program
};

// With many: by tgid. Only programs write it. An entry is deleted when the process's leader is freed,
// which is the last of its threads. The loader sets the size.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct process);
} processes SEC(".maps");

// With many: slots for targets to come. The loader sets the size.
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1);
	__uint(value_size, sizeof(__u32));
} free_slots SEC(".maps");

// With many: what a target has put into the buffers while they were more than half full, and what
// found no room there. The half that is left belongs to all targets in equal shares, so that one
// that floods loses its own records only.
struct share {
	__u64 lost;	 // turns that found no room or exceeded the rate, ever
	__u64 untracked; // turns of threads without state, ever
	__u32 turns;	 // since the CPU's ring of turns was last less than half full, if turns_epoch is its epoch
	__u32 turns_epoch;
	__u32 bytes; // the same of a ring buffer
	__u32 bytes_epoch;
	__u32 quota; // as cpu_slot's, of this target
	__u32 unused[7];
};

// With many: by slot, then by CPU (turns) or ring buffer (bytes): share_columns for each slot. The
// loader sets the size.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct share);
} shares SEC(".maps");

// With many: a ring buffer that is more than half full, and how often it was not so again.
struct crowd {
	__u32 crowded;
	__u32 epoch;
};

// By ring buffer. The loader sets the size.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct crowd);
} crowds SEC(".maps");

// With many: a target's share of the half of each ring buffer, and of each CPU's ring of turns. User
// space sets both: the half by the number of targets.
__u32 share_bytes;
__u32 share_turns;

// With many: processes that should have become targets, or been followed, and found no room, ever.
__u64 no_slot;

// With many: set once two targets had tgids with the same low HINT_BITS bits.
__u32 hints_shared;

// User space's question to an iterator: the process that it is about. For pw_resolve a PID in the
// PID namespace of the reader, for others a tgid in the initial one. Without many only pw_resolve
// needs it.
__u32 wanted;

static __always_inline struct target *target_at(__u32 slot)
{
	return many ? bpf_map_lookup_elem(&targets, &slot) : &alone;
}

// The slot plus one of a process whose hint is another target's; 0 = it is no target. A global
// function, see lock_check_slow.
__noinline int slot_unhinted(__u32 tgid)
{
	const struct process *process = bpf_map_lookup_elem(&processes, &tgid);
	const struct target *t;

	if (!process || !process->slot)
		return 0;
	t = target_at(process->slot - 1);
	return t && t->tgid == tgid ? process->slot : 0;
}

static __always_inline __u64 hint_of(const struct target_hints *hints, __u32 tgid)
{
	return *(const volatile __u64 *)&hints->of[tgid & (HINTS - 1)];
}

// The slot plus one of a process with that hint; 0 = it is no target.
static __always_inline __u32 hinted_slot(__u64 hint, __u32 tgid)
{
	if (likely(!hint))
		return 0;
	return likely(hint >> HINT_TGID_SHIFT == tgid) ? (__u32)hint : (__u32)slot_unhinted(tgid);
}

// Finds the targets at a switch by their tgids: that of the previous task, which may be gone, and
// whether the next one has one. false: it is a switch between other processes.
static __always_inline bool switch_targets(__u32 prev, __u32 next, struct target **out, bool *in)
{
	const struct target_hints *hints;
	__u32 key = 0, slot;
	__u64 from, to;

	if (!many) {
		*out = prev == target_tgid ? &alone : NULL;
		*in = next == target_tgid;
		return *out || *in;
	}
	hints = bpf_map_lookup_elem(&target_hints, &key);
	if (!hints)
		return false;
	from = hint_of(hints, prev);
	to = hint_of(hints, next);
	if (likely(!(from | to)))
		return false;
	slot = hinted_slot(from, prev);
	*out = slot ? target_at(slot - 1) : NULL;
	*in = hinted_slot(to, next);
	return *out || *in;
}

// The target with that tgid, which may be a new process's by now; NULL = none.
static __always_inline struct target *target_named(__u32 tgid)
{
	const struct target_hints *hints;
	__u32 key = 0, slot;

	if (!many)
		return tgid == target_tgid ? &alone : NULL;
	hints = bpf_map_lookup_elem(&target_hints, &key);
	slot = hints ? hinted_slot(hint_of(hints, tgid), tgid) : 0;
	return slot ? target_at(slot - 1) : NULL;
}

// The target that a process is; NULL = it is none.
static __always_inline struct target *target_of(__u32 tgid)
{
	struct target *t = target_named(tgid);

	return t && !t->gone ? t : NULL;
}

// The calling thread's target; NULL = it has none. *tid is the thread's.
static __always_inline struct target *current_target(__u32 *tid)
{
	__u64 id = bpf_get_current_pid_tgid();

	*tid = id;
	return target_of(id >> 32);
}

static __always_inline const volatile struct go_runtime *runtime_of(const struct target *t)
{
	return many ? &t->runtime : &go_runtime;
}

#endif
