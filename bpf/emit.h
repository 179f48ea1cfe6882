// SPDX-License-Identifier: MIT OR GPL-2.0-only
// emit.h: reserve, fill, submit. A record that finds no room is counted by kind, so that losses are known exactly.
#ifndef PINWATCH_EMIT_H
#define PINWATCH_EMIT_H

// How many eighths of the ring a kind may find full and still come in: the birth and the end of threads go on being told when
// nothing else is. Locks are told again later.
static __always_inline __u32 ring_share(enum event_kind kind)
{
	switch (kind) {
	case KIND_PIN:
		return 4;
	case KIND_THREAD_M:
	case KIND_LOCK:
	case KIND_PARK:
		return 6;
	case KIND_TGKILL_ENTER:
	case KIND_TGKILL_EXIT:
	case KIND_SIGNAL_GENERATE:
	case KIND_SIGNAL_DELIVER:
	case KIND_SIGRETURN:
		return 7;
	default:
		return 8;
	}
}

static __always_inline void *emit_reserve(__u64 size, enum event_kind kind, __u32 tid, __u64 now)
{
	struct event_header *h = NULL;
	__u32 share = ring_share(kind);

	if (share == 8 || bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) < ring_size / 8 * share)
		h = bpf_ringbuf_reserve(&ring, size, 0);
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

// Whether the CPU may send one more turn now. Windows begin and end roughly: two CPUs may begin the same one.
static __always_inline bool rate_allows(struct cpu_slot *slot, __u64 now)
{
	if (slot->quota) {
		slot->quota--;
		return true;
	}
	if (now - rate_begin >= RATE_WINDOW_NS) {
		rate_begin = now;
		rate_used = 0;
	}
	if (rate_used >= rate_limit)
		return false;
	__sync_fetch_and_add(&rate_used, rate_chunk);
	slot->quota = rate_chunk - 1;
	return true;
}

// Room for a turn in the ring of this CPU, whose slot that is. The last eighth is kept for the first and the last turns of threads,
// so that none of these is lost to a flood of others.
static __always_inline struct turn *turn_reserve(struct cpu_slot *slot, __u32 cpu, bool lifecycle)
{
	__u64 room = lifecycle ? turns_per_cpu : turns_per_cpu - turns_per_cpu / 8;
	__u32 place = cpu * turns_per_cpu + (slot->head & (turns_per_cpu - 1));

	if (slot->head - slot->tail_seen >= room) {
		slot->tail_seen = *(volatile __u64 *)&slot->tail;
		if (slot->head - slot->tail_seen >= room) {
			slot->lost++;
			return NULL;
		}
	}
	return bpf_map_lookup_elem(&turns, &place);
}

static __always_inline void turn_submit(struct cpu_slot *slot)
{
	publish(&slot->head, slot->head + 1);
}

// A record that is its header.
static __always_inline void emit_plain(enum event_kind kind, __u32 tid, __u64 now, __u8 flags)
{
	struct event_plain *e = emit_reserve(sizeof(*e), kind, tid, now);

	if (!e)
		return;
	e->h.flags = flags;
	emit_submit(e);
}

// The calling thread's user stack. The kernel collects it in a buffer of the CPU and copies it when it has let go of that
// (kernel/bpf/stackmap.c, __bpf_get_stack): where the thread is preempted just there, it gets another one's. So the first entry must be
// where this thread is.
static __always_inline void emit_stack(void *ctx, struct user_stack *stack)
{
	__u64 pc = user_program_counter();
	long n = bpf_get_stack(ctx, stack->pcs, sizeof(stack->pcs), BPF_F_USER_STACK);

	if (n > 0 && stack->pcs[0] != pc)
		n = bpf_get_stack(ctx, stack->pcs, sizeof(stack->pcs), BPF_F_USER_STACK);
	stack->depth = n > 0 && stack->pcs[0] == pc ? n / sizeof(stack->pcs[0]) : 0;
	stack->unused = 0;
}

// The same for a thread in C code, whose frame pointer may be anything: where it does not lead upwards there is no stack to follow.
static __always_inline void emit_c_stack(void *ctx, struct user_stack *stack)
{
	__u64 frame = user_frame_pointer(), next = 0;

	if (!bpf_probe_read_user(&next, sizeof(next), (void *)frame) && next > frame) {
		emit_stack(ctx, stack);
		return;
	}
	stack->depth = 0;
	stack->unused = 0;
}

// A record that is its header and the stack. Its time is when the stack has been taken: what begins there does not hold that.
// Returns the time; 0 when there was no room.
static __always_inline __u64 emit_stacked(void *ctx, enum event_kind kind, __u32 tid)
{
	struct event_stacked *e = emit_reserve(sizeof(*e), kind, tid, 0);
	__u64 now;

	if (!e)
		return 0;
	emit_stack(ctx, &e->stack);
	now = bpf_ktime_get_ns();
	e->h.time = now;
	emit_submit(e);
	return now;
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
