//go:build ignore
// SPDX-License-Identifier: MIT OR GPL-2.0-only
// pinwatch.bpf.c: the kernel side, in reading order.

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "event.h"  // what leaves the kernel
#include "config.h" // what user space decides
#include "maps.h"   // all state
#include "own.h"    // what this costs
#include "core_fixes.h"
#include "thread.h"
#include "emit.h"
#include "aggregate.h" // what is added up instead
#include "goruntime.h" // what the runtime says of a thread
#include "syscall.h"   // hooks on system calls

#include "lifecycle.bpf.h" // threads come and go
#include "preempt.bpf.h"   // a SIGURG on its way
#include "sched.bpf.h"	   // on and off the CPUs
#include "lock.bpf.h"	   // who asks to be locked
#include "snapshot.bpf.h"  // who lives now

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// Types that only user space uses by name reach BTF, and so Go, through these.
const enum event_kind *in_btf_kind __attribute__((unused));
const enum thread_flag *in_btf_thread_flag __attribute__((unused));
const enum lock_kind *in_btf_lock_kind __attribute__((unused));
const enum target_state *in_btf_target_state __attribute__((unused));
const enum switch_flag *in_btf_switch_flag __attribute__((unused));
const enum migrate_why *in_btf_migrate_why __attribute__((unused));
const struct snapshot *in_btf_snapshot __attribute__((unused));
const struct resolved *in_btf_resolved __attribute__((unused));
const struct cpu_slot *in_btf_cpu_slot __attribute__((unused));
const struct samples *in_btf_samples __attribute__((unused));
const struct moves *in_btf_moves __attribute__((unused));
const enum sample_of *in_btf_sample_of __attribute__((unused));
const enum own_run *in_btf_own_run __attribute__((unused));
