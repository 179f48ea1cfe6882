//go:build ignore
// SPDX-License-Identifier: MIT OR GPL-2.0-only
// pinwatch.bpf.c: the kernel side, in reading order.

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "event.h"    // records
#include "config.h"   // constants that user space sets
#include "maps.h"     // the state of threads and CPUs, and the buffers
#include "target.h"   // the state of targets
#include "overhead.h" // the programs' cost
#include "core_fixes.h"
#include "thread.h"
#include "stack.h" // user stacks
#include "emit.h"
#include "aggregate.h"  // sums in place of records
#include "goruntime.h"  // reads of the Go runtime's memory
#include "lock_check.h" // when these are due, and their records
#include "syscall.h"    // hooks on system calls
#include "children.h"   // of threads that end
#include "delay.h"      // locked threads that waited long for a CPU
#include "process.h"    // with many targets: how processes become targets

#include "lifecycle.bpf.h" // threads begin and end
#include "preempt.bpf.h"   // SIGURG from tgkill to rt_sigreturn
#include "sched.bpf.h"	   // switches, wake-ups, migrations
#include "lock.bpf.h"	   // callers of runtime.LockOSThread
#include "snapshot.bpf.h"  // threads that live now
#include "exec.bpf.h"	   // another program in the same process

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// Types that only user space names reach BTF, and so Go, through this pointer.
const union {
	enum event_kind event_kind;
	enum thread_flag thread_flag;
	enum exit_flag exit_flag;
	enum exec_flag exec_flag;
	enum delay_flag delay_flag;
	enum call_end call_end;
	enum lock_kind lock_kind;
	enum lock_age lock_age;
	enum target_state target_state;
	enum switch_flag switch_flag;
	enum turn_pack turn_pack;
	enum migrate_why migrate_why;
	enum move_distance move_distance;
	enum sample_of sample_of;
	enum sample_layout sample_layout;
	enum ring_layout ring_layout;
	enum config_limit config_limit;
	enum task_flags task_flags;
	enum overhead_run overhead_run;
	enum overhead_side overhead_side;
	union event event;
	struct snapshot snapshot;
	struct resolved resolved;
	struct throttled throttled;
	enum throttle throttle;
	enum target_hint target_hint;
	enum known_layout known_layout;
	struct file_identity file_identity;
	enum order order;
} *in_btf __attribute__((unused));
