// SPDX-License-Identifier: MIT OR GPL-2.0-only
// config.h: everything user space decides before the programs are verified. Zero means off or unknown, and the verifier
// removes what a zero switches off.
#ifndef PINWATCH_CONFIG_H
#define PINWATCH_CONFIG_H

// The process observed, in the initial PID namespace.
const volatile __u32 target_tgid = 0;

// Depth of pinwatch's own PID namespace: index into struct pid.numbers.
const volatile __u32 ns_level = 0;

// sched_switch has a fourth argument with the previous task's state (Linux 5.18, commit fa2c3254d7cf).
const volatile bool switch_has_state = false;

// Per-thread state lives in task storage, else in a hash map. Tracing programs have task storage since
// Linux 5.12 (commit a10787e6d58c).
const volatile bool use_task_storage = false;

// The resolver's question: a PID in pinwatch's PID namespace.
const volatile __u32 wanted_pid = 0;

#endif
