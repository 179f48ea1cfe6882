// SPDX-License-Identifier: MIT OR GPL-2.0-only
// thread.h: the state kept of a thread, by whichever map this kernel has, and what the kernel itself says of it.
#ifndef PINWATCH_THREAD_H
#define PINWATCH_THREAD_H

static __always_inline struct thread_state *thread_get(struct task_struct *task, bool create)
{
	const struct thread_state zero = {};
	struct thread_state *state;
	__u32 tid = task->pid;

	if (use_task_storage)
		return bpf_task_storage_get(&thread_storage, task, NULL, create ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
	state = bpf_map_lookup_elem(&thread_hash, &tid);
	if (state || !create)
		return state;
	bpf_map_update_elem(&thread_hash, &tid, &zero, BPF_NOEXIST);
	return bpf_map_lookup_elem(&thread_hash, &tid);
}

// The calling thread's, if it has one.
static __always_inline struct thread_state *thread_self(void)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();

	if (use_task_storage)
		return bpf_task_storage_get(&thread_storage, bpf_get_current_task_btf(), NULL, 0);
	return bpf_map_lookup_elem(&thread_hash, &tid);
}

// The thread goes on under another tid.
static __always_inline void thread_rename(__u32 from, __u32 to)
{
	struct thread_state *state, copy;

	if (use_task_storage || from == to)
		return; // task storage goes with its task
	state = bpf_map_lookup_elem(&thread_hash, &from);
	if (!state)
		return;
	copy = *state;
	bpf_map_update_elem(&thread_hash, &to, &copy, BPF_ANY);
	bpf_map_delete_elem(&thread_hash, &from);
}

// Task storage goes with its task.
static __always_inline void thread_forget(__u32 tid)
{
	if (!use_task_storage)
		bpf_map_delete_elem(&thread_hash, &tid);
}

static __always_inline struct cpu_slot *cpu_slot(__u32 cpu)
{
	return &cpu_slots[cpu & (MAX_CPUS - 1)];
}

static __always_inline bool slot_holds(const struct cpu_slot *slot, const struct task_struct *task)
{
	return slot->task == (__u64)task;
}

// A thread's tid in the PID namespace of the given depth; 0 when it is not visible there.
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

// A thread's tid in its own PID namespace: what gettid returns to it.
static __always_inline __u32 thread_own_tid(const struct task_struct *task)
{
	return tid_at_level(task, BPF_CORE_READ(task, thread_pid, level));
}

static __always_inline __u32 thread_ns_tid(const struct task_struct *task)
{
	return ns_level ? tid_at_level(task, ns_level) : task->pid;
}

#endif
