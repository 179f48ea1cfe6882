// SPDX-License-Identifier: MIT OR GPL-2.0-only
// config.h: everything user space decides before the programs are verified. Zero means off or unknown, and the verifier
// removes what a zero switches off.
#ifndef PINWATCH_CONFIG_H
#define PINWATCH_CONFIG_H

// The process observed, in the initial PID namespace.
const volatile __u32 target_tgid = 0;

// Depth of pinwatch's own PID namespace: index into struct pid.numbers.
const volatile __u32 ns_level = 0;

// No program is attached to a system call: what the programs there would say of a caller is told from elsewhere, where that can be.
const volatile bool light = false;

// sched_switch has a fourth argument with the previous task's state (Linux 5.18, commit fa2c3254d7cf).
const volatile bool switch_has_state = false;

// Entries of thread_table less one; bytes of ring; turns that each CPU's ring holds. All sizes are powers of two.
const volatile __u32 thread_mask = 0;
const volatile __u32 ring_size = 0;
const volatile __u32 turns_per_cpu = 1;

// Most turns that all CPUs together may send in each RATE_WINDOW_NS, and how many of these a CPU takes at a time; 0 = any number.
#define RATE_WINDOW_NS 100000000
const volatile __u32 rate_limit = 0;
const volatile __u32 rate_chunk = 0;

// Turns are added up here, and only those that something else depends on are sent.
const volatile bool aggregate = false;

// How many CPUs there can be: what moves is indexed by. Only read when aggregating.
const volatile __u32 cpu_count = 1;

// Where the target's Go runtime keeps what is read of it; internal/goruntime finds out. Without runtime_known nothing is read.
const volatile bool runtime_known = false;

// Ms of C threads exist (runtime/cgo is linked in): they go from thread to thread.
const volatile bool runtime_cgo = false;

// The offsets are this very release's. Else the lock counts are believed only together with what proves them.
const volatile bool offsets_proved = false;

// A thread's g: at its thread pointer plus this, or in a register.
const volatile __s64 g_tls_offset = 0;
const volatile bool g_in_register = false;

// Offsets into runtime.g and runtime.m of what is read once per thread, or on a change.
const volatile __u32 off_g_m = 0;
const volatile __u32 off_g_goid = 0;
const volatile __u32 off_g_startpc = 0;
const volatile __u32 off_m_procid = 0;
const volatile __u32 off_m_id = 0;
const volatile __u32 off_m_mstartfn = 0;
const volatile __u32 off_m_isextra = 0; // 0 = the release has none
const volatile __u32 off_m_curg = 0;
const volatile __u32 off_m_p = 0;

const volatile __u32 off_m_lockedg = 0;
const volatile __u32 off_m_lockedext = 0; // and lockedInt behind it

// status, goid and lockedm of a g are read in one piece: where it begins, how long it is, and where in it they are.
const volatile __u32 g_piece = 0;
const volatile __u32 g_piece_size = 0;
const volatile __u32 in_g_goid = 0;
const volatile __u32 in_g_status = 0;
const volatile __u32 in_g_lockedm = 0;

// Address of runtime.asyncPreempt; 0 = not known.
const volatile __u64 async_preempt = 0;

// Sets of signals in the target's memory that never change, by address; 0 = none.
#define MASKS 2
const volatile __u64 mask_at[MASKS] = {};
const volatile __u64 mask_set[MASKS] = {};

// The resolver's question: a PID in pinwatch's PID namespace.
const volatile __u32 wanted_pid = 0;

#endif
