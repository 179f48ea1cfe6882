//go:build ignore
// SPDX-License-Identifier: MIT OR GPL-2.0-only
// reference.bpf.c: the least that a program at sched_switch can do and still send a thread's turn
// with its lock. Only loader's benchmarks and tests run it and compare pw_switch with it. It lacks
// everything that makes the numbers right: wake-ups, losses by kind, self-checks. Three more
// programs are witnesses of tests: of the tracepoints that slow every system call, of stacks, and
// of sleeping threads that are still queued.

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "event.h"
#include "config.h"
#include "core_fixes.h"
#include "stack.h"

// include/uapi/linux/bpf.h
enum { BPF_MAP_TYPE_TASK_STORAGE = 29, BPF_F_NO_PREALLOC = 1, BPF_LOCAL_STORAGE_GET_F_CREATE = 1 };

// As long as a switch record.
struct reference_record {
	__u64 time;
	__u32 tid;
	__u32 cpu;
	__u64 run_ns;
	__u64 away_ns;
	__u64 lockedg;
	__u64 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);
} reference_ring SEC(".maps");

struct reference_state {
	__u64 off_time;
	__u64 m; // 0 = not read yet
};

// The kernel deletes it together with the task.
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct reference_state);
} reference_storage SEC(".maps");

#define MAX_CPUS 4096
struct reference_slot {
	__u64 run_start;
	__u64 unused[7];
};
struct reference_slot reference_slots[MAX_CPUS];

// Switch-outs of the target that sent no record. The benchmark requires 0: doing nothing is cheap.
__u64 reference_missed;

// Allocates the state of living threads: the scheduler must not allocate.
SEC("iter/task")
int reference_prepare(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (task && task->tgid == target_tgid)
		bpf_task_storage_get(&reference_storage, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	return 0;
}

SEC("tp_btf/task_newtask")
int reference_newtask(__u64 *ctx)
{
	struct task_struct *child = (void *)ctx[0];

	if (child->tgid == target_tgid)
		bpf_task_storage_get(&reference_storage, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	return 0;
}

// Reads the thread's m, once per thread.
static __noinline __u64 reference_m(void)
{
	__u64 base = thread_g_base(current_task(), go_runtime.g_in_register), g = 0, m = 0;

	if (go_runtime.g_in_register)
		g = base;
	else
		bpf_probe_read_user(&g, sizeof(g), (void *)(base + go_runtime.g_tls_offset));
	bpf_probe_read_user(&m, sizeof(m), (void *)(g + go_runtime.off_g_m));
	return m;
}

static __always_inline void reference_turn(struct task_struct *prev, __u64 since, __u32 cpu, __u64 now)
{
	struct reference_state *state = bpf_task_storage_get(&reference_storage, prev, NULL, 0);
	struct reference_record *e;
	__u64 lockedg = 0;

	if (!state) {
		__sync_fetch_and_add(&reference_missed, 1);
		return;
	}
	if (!state->m)
		state->m = reference_m();
	bpf_probe_read_user(&lockedg, sizeof(lockedg), (void *)(state->m + go_runtime.off_m_lockedg));
	e = bpf_ringbuf_reserve(&reference_ring, sizeof(*e), 0);
	if (!e) {
		__sync_fetch_and_add(&reference_missed, 1);
		return;
	}
	e->time = now;
	e->tid = prev->pid;
	e->cpu = cpu;
	e->run_ns = now - since;
	e->away_ns = since - state->off_time;
	e->lockedg = lockedg;
	e->unused = 0;
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	state->off_time = now;
}

SEC("tp_btf/sched_switch")
int reference_switch(__u64 *ctx)
{
	struct task_struct *prev = (void *)ctx[1], *next = (void *)ctx[2];
	bool out = prev->tgid == target_tgid, in = next->tgid == target_tgid;
	struct reference_slot *slot;
	__u32 cpu;
	__u64 now;

	if (!out && !in)
		return 0;
	now = bpf_ktime_get_ns();
	cpu = bpf_get_smp_processor_id();
	slot = &reference_slots[cpu & (MAX_CPUS - 1)];
	if (out)
		reference_turn(prev, slot->run_start, cpu, now);
	slot->run_start = now;
	return 0;
}

// Flags of a task whose system calls all take the slow path, because some tracepoint is on one:
// SYSCALL_WORK_SYSCALL_TRACEPOINT of include/linux/thread_info.h since 5.11; before, and on arm64,
// TIF_SYSCALL_TRACEPOINT of arch/*/include/asm/thread_info.h.
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct thread_info___since_5_11 {
	unsigned long syscall_work;
};
struct thread_info___before_5_11 {
	unsigned long flags;
};
#pragma clang attribute pop
#define WORK_TRACEPOINT_BIT 1
#if defined(__TARGET_ARCH_x86)
#define FLAG_TRACEPOINT_BIT 28
#else
#define FLAG_TRACEPOINT_BIT 10
#endif

SEC("iter/task")
int reference_slow(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	const struct thread_info___since_5_11 *info;
	const struct thread_info___before_5_11 *old;
	__u8 slow;

	if (!task || task->flags & PF_KTHREAD)
		return 0;
	info = (const void *)&task->thread_info;
	old = (const void *)&task->thread_info;
	if (bpf_core_field_exists(info->syscall_work))
		slow = info->syscall_work >> WORK_TRACEPOINT_BIT & 1;
	else
		slow = old->flags >> FLAG_TRACEPOINT_BIT & 1;
	bpf_seq_write(ctx->meta->seq, &slow, sizeof(slow));
	return 0;
}

// A thread's stack at its switch-out: by the kernel, by stack.h, and by the kernel again.
struct reference_stacks {
	struct user_stack before;
	struct user_stack walked;
	struct user_stack after;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
	__type(value, struct reference_stacks);
} reference_stack_ring SEC(".maps");

enum { BPF_F_USER_STACK = 1 << 8 };

static __always_inline void reference_kernel_stack(void *ctx, struct user_stack *stack)
{
	long n = bpf_get_stack(ctx, stack->pcs, sizeof(stack->pcs), BPF_F_USER_STACK);

	stack->depth = n > 0 ? n / sizeof(stack->pcs[0]) : 0;
	stack->unused = 0;
}

// Interrupts are off here. Elsewhere a thread can be preempted inside bpf_get_stack, and then gets
// another thread's stack.
SEC("tp_btf/sched_switch")
int reference_stack(__u64 *ctx)
{
	const struct task_struct *prev = (void *)ctx[1];
	struct reference_stacks *r;
	struct stack_place *place;

	if (prev->tgid != target_tgid || prev->flags & PF_EXITING) // its memory may be gone
		return 0;
	r = bpf_ringbuf_reserve(&reference_stack_ring, sizeof(*r), 0);
	if (!r)
		return 0;
	reference_kernel_stack(ctx, &r->before);
	place = stack_take(prev->pid, false, NULL);
	stack_move(&r->walked, place, prev->pid);
	reference_kernel_stack(ctx, &r->after);
	bpf_ringbuf_submit(r, 0);
	return 0;
}

#define TASK_INTERRUPTIBLE 1

// Lists the threads of the target that sleep and are still on their run queues.
SEC("iter/task")
int reference_delayed(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	__u32 tid;

	if (!task || task->tgid != target_tgid || !(task_state(task) & TASK_INTERRUPTIBLE) || !task_flag(task, on_rq) ||
	    task_on_cpu(task))
		return 0;
	tid = task->pid; // 5.10 writes from no kernel memory
	bpf_seq_write(ctx->meta->seq, &tid, sizeof(tid));
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
