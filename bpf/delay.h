// SPDX-License-Identifier: MIT OR GPL-2.0-only
// delay.h: locked threads that waited long for a CPU, and which tasks ran meanwhile. A switch only
// notes the tasks' addresses and ids. Their names are read when a long wait is over.
#ifndef PINWATCH_DELAY_H
#define PINWATCH_DELAY_H

static __always_inline void switched_task_note(struct switched_task *at, const struct task_struct *task)
{
	at->task = (__u64)task;
	at->tid = task->pid;
	at->tgid = task->tgid;
}

// Reads a task that was noted. Returns its enum delay_flag, as of the task before. Its memory may be
// another task's by now, which has another tid. The ids are read after the name, so that they prove it.
static __always_inline __u8 other_task_read(struct other_task *other, const struct switched_task *noted,
					    __u32 own)
{
	struct task_struct *task = (void *)noted->task;
	__u32 pid, flags;

	__builtin_memset(other, 0, sizeof(*other));
	if (!noted->tid)
		return DELAY_BEFORE_IDLE;
	pid = ns_level ? tid_at_level(BPF_CORE_READ(task, group_leader), ns_level) : noted->tgid;
	flags = BPF_CORE_READ(task, flags);
	bpf_probe_read_kernel(other->comm, sizeof(other->comm), &task->comm);
	if (BPF_CORE_READ(task, pid) != noted->tid || BPF_CORE_READ(task, tgid) != noted->tgid) {
		__builtin_memset(other->comm, 0, sizeof(other->comm));
		pid = ns_level ? 0 : noted->tgid;
		flags = 0;
	}
	other->id = noted->tgid == own ? noted->tid : pid;
	return (flags & PF_KTHREAD ? DELAY_BEFORE_KERNEL : 0) | (noted->tgid == own ? DELAY_BEFORE_OWN : 0);
}

// Emits the wait before the turn that ends. Of a CPU that the machine keeps for chosen threads
// every wait comes here: there only those count for which another process ran. A global function,
// see lock_check_slow.
__noinline int delay_send(__u32 tid, __u32 cpu)
{
	struct thread_state *state = thread_find(tid);
	struct cpu_slot *slot = cpu_slot(cpu);
	const struct switched_task *last;
	const struct event_switch *turn;
	struct event_delay *e;
	struct target *t;
	__u8 flags = 0;
	__u32 own;

	if (!state || !slot)
		return 0;
	t = target_at(state->slot);
	if (!t)
		return 0;
	own = many ? t->tgid : target_tgid;
	turn = &slot->turn;
	if (slot->delay_ns < DELAY_NS) {
		last = state->off_runnable ? &state->taker : &slot->before;
		flags = DELAY_ISOLATED;
		if (turn->runq_ns < DELAY_NS && (!last->tid || last->tgid == own))
			return 0;
	}
	e = emit_reserve(t, sizeof(*e), KIND_DELAY, tid, turn->h.time);
	if (!e)
		return 0;
	e->end = slot->run_start;
	e->wait_ns = turn->runq_ns;
	flags |= other_task_read(&e->before, &slot->before, own);
	__builtin_memset(&e->taker, 0, sizeof(e->taker));
	if (state->off_runnable)
		flags |= DELAY_PREEMPTED | other_task_read(&e->taker, &state->taker, own) << DELAY_TAKER_SHIFT;
	e->h.flags = flags;
	emit_submit(e);
	return 0;
}

#endif
