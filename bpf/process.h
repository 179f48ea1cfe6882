// SPDX-License-Identifier: MIT OR GPL-2.0-only
// process.h: with many, how processes become targets, and which are followed.
#ifndef PINWATCH_PROCESS_H
#define PINWATCH_PROCESS_H

// A new process has a tgid, made by the calling process. It is followed if its parent is.
static __always_inline void process_born(__u32 tgid)
{
	__u32 parent = bpf_get_current_pid_tgid() >> 32;
	const struct process *process = bpf_map_lookup_elem(&processes, &parent);
	const struct process born = {.followed = 1};

	if (follow && process && process->followed) {
		if (bpf_map_update_elem(&processes, &tgid, &born, BPF_ANY))
			__sync_fetch_and_add(&no_slot, 1);
	} else {
		bpf_map_delete_elem(&processes, &tgid); // of a process whose end was not seen
	}
}

// A thread was freed. t is its target if it has one. The state of a thread whose process is no target
// any more ends here.
static __always_inline void process_thread_freed(const struct task_struct *task, const struct target *t)
{
	__u32 tgid = task->tgid;
	const struct process *process = bpf_map_lookup_elem(&processes, &tgid);

	if (!process)
		return;
	if (!t)
		thread_forget(task->pid);
	if (task->pid == tgid)
		bpf_map_delete_elem(&processes, &tgid);
}

// Takes a free slot for a process. NULL = there is none.
static __always_inline struct target *slot_take(void)
{
	__u32 slot;

	if (!bpf_map_pop_elem(&free_slots, &slot))
		return target_at(slot);
	__sync_fetch_and_add(&no_slot, 1);
	return NULL;
}

// Makes a process the target with a slot that was taken. false: there is no room for it.
static __always_inline bool target_begin(struct target *t, __u32 tgid, bool followed)
{
	const struct process process = {.slot = t->slot + 1, .followed = followed};
	__u32 key = 0, slot = t->slot;
	struct target_hints *hints = bpf_map_lookup_elem(&target_hints, &key);
	__u64 *at;

	t->tgid = tgid;
	if (!hints || bpf_map_update_elem(&processes, &tgid, &process, BPF_ANY)) {
		t->tgid = 0;
		bpf_map_push_elem(&free_slots, &slot, 0);
		__sync_fetch_and_add(&no_slot, 1);
		return false;
	}
	at = &hints->of[tgid & (HINTS - 1)];
	if (*at && *at >> HINT_TGID_SHIFT != tgid)
		hints_shared = 1;
	publish(at, (__u64)tgid << HINT_TGID_SHIFT | (slot + 1));
	return true;
}

#endif
