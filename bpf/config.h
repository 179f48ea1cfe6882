// SPDX-License-Identifier: MIT OR GPL-2.0-only
// config.h: everything that user space decides before the programs are verified. Zero means off or
// unknown. The verifier removes the code that a zero switches off.
#ifndef PINWATCH_CONFIG_H
#define PINWATCH_CONFIG_H

// Limits that user space keeps to.
enum config_limit {
	G_PIECE_MAX = 128,	    // bytes of a g that are read at once
	MASKS = 2,		    // signal sets that are known by their address
	RATE_WINDOW_NS = 100000000, // rate_limit turns may be sent in each window of this length
	// A wait for a CPU from which on a record tells who ran meanwhile. The scheduler gives a rival of the
	// same weight at least 0.7 ms at a time (kernel/sched/fair.c, sysctl_sched_base_slice).
	DELAY_NS = 1000000,
};

// The target process, in the initial PID namespace.
const volatile __u32 target_tgid = 0;

// Depth of pinwatch's PID namespace: index into struct pid.numbers.
const volatile __u32 ns_level = 0;

// No program is attached to a system call. Other programs emit those programs' records where they
// can.
const volatile bool light = false;

// sched_switch has a fourth argument with the previous task's state (Linux 5.18, commit
// fa2c3254d7cf).
const volatile bool switch_has_state = false;

// Entries of thread_table less one; bytes of each of rings, and their number less one; turns in
// each CPU's ring. All these sizes are powers of two.
const volatile __u32 thread_mask = 0;
const volatile __u32 ring_size = 0;
const volatile __u32 ring_mask = 0;
const volatile __u32 turns_per_cpu = 1;

// CPUs that share one of rings: two to this power.
const volatile __u32 ring_shift = 0;

// Entries of thread_overflow.
const volatile __u32 overflow_room = 0;

// Turns that all CPUs together may send in each RATE_WINDOW_NS, and the part of them that a CPU
// takes at a time. 0 = no limit.
const volatile __u32 rate_limit = 0;
const volatile __u32 rate_chunk = 0;

// Turns are summed in the kernel. Only turns that another value depends on are sent.
const volatile bool aggregate = false;

// CPUs that have a ring of turns, and banks for sums: those from 0 to the last one that was online
// at attach. Turns on others, which came later, go through one of rings and are not summed.
const volatile __u32 ring_cpus = 1;

// Locates values in a target's Go runtime; internal/goruntime determines it. Without known nothing
// is read.
struct go_runtime {
	__u32 known;
	__u32 cgo;	      // Ms of C threads exist (runtime/cgo is linked in): they pass from thread to thread
	__u32 offsets_proved; // the offsets are of exactly this release. Otherwise lock counts need further proof
	__u32 g_in_register;  // a thread's g is in a register, not at its thread pointer plus g_tls_offset
	__s64 g_tls_offset;

	// Offsets in runtime.g and runtime.m of values that are read once per thread or on a change.
	__u32 off_g_m;
	__u32 off_g_goid;
	__u32 off_g_startpc;
	__u32 off_m_procid;
	__u32 off_m_id;
	__u32 off_m_mstartfn;
	__u32 off_m_isextra; // 0 = the release has no such field
	__u32 off_m_curg;
	__u32 off_m_p;

	__u32 off_m_lockedg;
	__u32 off_m_lockedext; // lockedInt follows it

	// status, goid and lockedm of a g are read in one piece: its offset, its length and their
	// offsets in it. With many, goid must follow status, 8 bytes on.
	__u32 g_piece;
	__u32 g_piece_size;
	__u32 in_g_goid;
	__u32 in_g_status;
	__u32 in_g_lockedm;

	__u64 async_preempt; // address of runtime.asyncPreempt; 0 = unknown

	// The Go code: its first address and its length. 0 = not known.
	__u64 go_text;
	__u64 go_text_size;

	// Signal sets in the target's memory that never change: their addresses, 0 = none, and values.
	__u64 mask_at[MASKS];
	__u64 mask_set[MASKS];
};

// Of the target. With many it is not used: each target has its own, see struct target.
const volatile struct go_runtime go_runtime = {};

// There are many targets, which come and go, in place of one: see maps.h's targets.
const volatile bool many = false;

// With many: what a target or a followed process starts is followed, too. It becomes a target when
// it executes a program.
const volatile bool follow = false;

// With many: each process of the machine becomes a target when it executes a program.
const volatile bool watch = false;

// With many: pinwatch's own process, which never becomes a target by itself.
const volatile __u32 own_tgid = 0;

// With many: entries of shares for each target.
const volatile __u32 share_columns = 1;

#endif
