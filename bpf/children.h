// SPDX-License-Identifier: MIT OR GPL-2.0-only
// children.h: the child processes of a thread that ends.
#ifndef PINWATCH_CHILDREN_H
#define PINWATCH_CHILDREN_H

// Children of one thread that are looked at.
#define MAX_CHILDREN 64

// The children of a thread, given by its task's address, that get a signal when it ends: their number
// times 64, plus the first one's signal. The kernel keeps children by the thread that made them
// (kernel/exit.c, forget_original_parent). The list may change meanwhile: it is read with care, and
// to an end. The function is global, see stack_walk.
__noinline int children_signalled(__u64 task)
{
	__u64 head = task + bpf_core_field_offset(struct task_struct, children), at = head;
	__u32 children = 0, first = 0;

	for (__u32 i = 0; i < MAX_CHILDREN; i++) {
		__u32 signal = 0;

		if (bpf_probe_read_kernel(&at, sizeof(at), (void *)at) || at == head)
			break;
		bpf_probe_read_kernel(&signal, sizeof(signal),
				      (void *)(at - bpf_core_field_offset(struct task_struct, sibling) +
					       bpf_core_field_offset(struct task_struct, pdeath_signal)));
		// No branch depends on what was counted: the verifier would follow each count by itself.
		children += exceeds(signal, 0) * 64;
		first |= signal & (exceeds(first, 0) - 1);
	}
	return children + (first & 63);
}

// Emits how many children of the calling thread, which ends, get a signal for that.
static __always_inline void parent_death_emit(struct target *t, __u32 tid, __u64 now)
{
	__u32 children = children_signalled(bpf_get_current_task());
	struct event_parent_death *e;

	if (!children)
		return;
	e = emit_reserve(t, sizeof(*e), KIND_PARENT_DEATH, tid, now);
	if (!e)
		return;
	e->children = children / 64;
	e->signal = children % 64;
	emit_submit(e);
}

#endif
