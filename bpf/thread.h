// SPDX-License-Identifier: MIT OR GPL-2.0-only
// thread.h: the state of a thread, in whichever map holds it, and its tids.
#ifndef PINWATCH_THREAD_H
#define PINWATCH_THREAD_H

static __always_inline struct thread_state *thread_find(__u32 tid)
{
	__u32 place = tid & thread_mask;
	struct thread_state *state = bpf_map_lookup_elem(&thread_table, &place);

	if (state && state->tid == tid)
		return state;
	return overflow_used ? bpf_map_lookup_elem(&thread_overflow, &tid) : NULL;
}

// An insert into a full hash table looks for a free entry under every CPU's lock, and fails
// (kernel/bpf/percpu_freelist.c). So none is tried.
static __noinline int thread_make_overflow(__u32 tid, __u32 slot, __u32 blind)
{
	const struct thread_state zero = {.tid = tid, .slot = slot, .blind = blind};

	if (overflow_used >= overflow_room)
		return 0;
	__sync_fetch_and_add(&overflow_used, 1);
	if (bpf_map_update_elem(&thread_overflow, &tid, &zero, BPF_NOEXIST))
		__sync_fetch_and_add(&overflow_used, -1);
	return 0;
}

// Makes the state of a thread that has none; NULL = there is no room. Two threads whose tids share
// a place are never made at the same moment: the kernel allocates tids one after the other, and
// unseen births are rare. A free place is all zero (thread_forget). Another CPU that found it
// before it was freed may still have written its first line and cpu_ns.
static __always_inline struct thread_state *thread_make(const struct target *t, __u32 tid)
{
	__u32 place = tid & thread_mask;
	struct thread_state *state = bpf_map_lookup_elem(&thread_table, &place);

	if (state && !state->tid) {
		__builtin_memset(state, 0, __builtin_offsetof(struct thread_state, m));
		state->tid = tid;
		state->blind = t->runtime_gone;
		if (many)
			state->slot = t->slot;
		if (aggregate)
			state->sum.cpu_ns = 0;
		return state;
	}
	thread_make_overflow(tid, many ? t->slot : 0, t->runtime_gone);
	return bpf_map_lookup_elem(&thread_overflow, &tid);
}

// The tid under which a task's state is kept. A thread that executes a program and does not lead
// the process exchanges its tid with the leader's, once that has ended but may not have left its
// CPU yet (fs/exec.c, de_thread). Until the end of the exec both keep the tid that they had.
static __always_inline __u32 thread_tid(const struct target *t, const struct task_struct *task)
{
	__u64 leader = t->old_leader;

	if (likely(!leader))
		return task->pid;
	if ((__u64)task == leader)
		return task->tgid;
	if (task->pid != task->tgid)
		return task->pid;
	return t->old_leader_tid ?: BPF_CORE_READ((struct task_struct *)leader, pid);
}

static __always_inline struct thread_state *thread_get(const struct target *t, const struct task_struct *task)
{
	return thread_find(thread_tid(t, task));
}

// Makes the state of a task that has none. What lies at an io_worker's thread pointer is another
// thread's g. A thread that is past sched_process_exit has set PF_EXITING before (kernel/exit.c,
// do_exit): its end was emitted, or came before the attach.
static __always_inline struct thread_state *thread_make_of(const struct target *t,
							    const struct task_struct *task)
{
	struct thread_state *state = thread_make(t, thread_tid(t, task));

	if (state && task_is_io_worker(task))
		state->blind = 1;
	if (state && task->flags & PF_EXITING)
		state->leaving = LEAVING_SEEN;
	return state;
}

// The same for a thread that is seen for the first time.
static __always_inline struct thread_state *thread_begin(struct target *t, const struct task_struct *task)
{
	struct thread_state *state = thread_make_of(t, task);

	if (!state)
		__sync_fetch_and_add(&t->untracked, 1);
	return state;
}

static __always_inline void thread_forget(__u32 tid)
{
	struct thread_state *state = thread_find(tid);

	if (!state)
		return;
	__builtin_memset(state, 0, sizeof(*state));
	if (overflow_used && !bpf_map_delete_elem(&thread_overflow, &tid))
		__sync_fetch_and_add(&overflow_used, -1);
}

// Moves the state of a thread to its new tid.
static __always_inline void thread_rename(const struct target *t, __u32 from, __u32 to)
{
	struct thread_state *old, *state;

	if (from == to)
		return;
	old = thread_find(from);
	if (!old)
		return;
	thread_forget(to);
	state = thread_make(t, to);
	if (state) {
		*state = *old;
		state->tid = to;
	}
	thread_forget(from);
}

// The state of a CPU; NULL for one that the kernel did not count as possible.
static __always_inline struct cpu_slot *cpu_slot(__u32 cpu)
{
	return bpf_map_lookup_elem(&cpu_slots, &cpu);
}

static __always_inline bool slot_holds(const struct cpu_slot *slot, const struct task_struct *task)
{
	return slot && slot->task == (__u64)task;
}

// A thread's tid in the PID namespace of the given depth; 0 = it is not visible there.
static __always_inline __u32 tid_at_level(const struct task_struct *task, __u32 level)
{
	const struct pid *pid = BPF_CORE_READ(task, thread_pid);
	const struct upid *numbers;
	__u32 nr = 0;

	if (!pid || BPF_CORE_READ(pid, level) < level)
		return 0;
	numbers = (const void *)pid + bpf_core_field_offset(pid->numbers) + level * bpf_core_type_size(struct upid);
	bpf_probe_read_kernel(&nr, sizeof(nr), &numbers->nr);
	return nr;
}

// A thread's tid in its innermost PID namespace: what gettid returns to it.
static __always_inline __u32 thread_innermost_tid(const struct task_struct *task)
{
	return tid_at_level(task, BPF_CORE_READ(task, thread_pid, level));
}

static __always_inline __u32 thread_ns_tid(const struct task_struct *task)
{
	return ns_level ? tid_at_level(task, ns_level) : task->pid;
}

#endif
