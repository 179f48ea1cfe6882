// SPDX-License-Identifier: MIT OR GPL-2.0-only
// emit.h: reserve, fill, submit. A record that finds no room is counted by kind, so that losses are known exactly.
#ifndef PINWATCH_EMIT_H
#define PINWATCH_EMIT_H

static __always_inline void *emit_reserve(__u64 size, enum event_kind kind, __u32 tid, __u64 now)
{
	struct event_header *h = bpf_ringbuf_reserve(&ring, size, 0);

	if (!h) {
		__sync_fetch_and_add(&lost[kind], 1);
		return NULL;
	}
	h->time = now;
	h->tid = tid;
	h->cpu = bpf_get_smp_processor_id();
	h->kind = kind;
	h->flags = 0;
	return h;
}

// No wake-up per record: the observed thread must not pay for our epoll. User space polls.
static __always_inline void emit_submit(void *record)
{
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

// A record that is its header.
static __always_inline void emit_plain(enum event_kind kind, __u32 tid, __u64 now)
{
	struct event_plain *e = emit_reserve(sizeof(*e), kind, tid, now);

	if (e)
		emit_submit(e);
}

// The calling thread's tid when it belongs to the target, else 0.
static __always_inline __u32 current_target_tid(void)
{
	__u64 id = bpf_get_current_pid_tgid();

	if ((__u32)(id >> 32) != target_tgid || target_gone)
		return 0;
	return (__u32)id;
}

static __always_inline bool is_target(const struct task_struct *task)
{
	return task->tgid == target_tgid && !target_gone;
}

#endif
