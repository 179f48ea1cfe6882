// SPDX-License-Identifier: MIT OR GPL-2.0-only
// emit.h: reserve, fill, submit. A record that finds no room is counted by kind, so that losses are
// known exactly.
#ifndef PINWATCH_EMIT_H
#define PINWATCH_EMIT_H

// The part of a ring, in eighths, that may be full before records of a kind are refused. Records
// of a thread's birth and end are still accepted when all others are refused. A refused lock is
// emitted again later.
static __always_inline __u32 ring_share(enum event_kind kind)
{
	switch (kind) {
	case KIND_PIN:
	case KIND_DELAY:
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
		return RING_PARTS;
	}
}

// The ring buffer that the CPU shares with its neighbours. A CPU that came after the attach shares
// one with others.
static __always_inline void *ring_of_cpu(__u32 cpu)
{
	__u32 place = cpu >> ring_shift & ring_mask;

	return bpf_map_lookup_elem(&rings, &place);
}

static __always_inline void *emit_reserve(__u64 size, enum event_kind kind, __u32 tid, __u64 now)
{
	__u32 cpu = bpf_get_smp_processor_id(), share = ring_share(kind);
	void *ring = ring_of_cpu(cpu);
	struct event_header *h = NULL;

	if (ring && (share == RING_PARTS || bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) < ring_size / RING_PARTS * share))
		h = bpf_ringbuf_reserve(ring, size, 0);
	if (!h) {
		__sync_fetch_and_add(&lost[kind], 1);
		return NULL;
	}
	h->time = now;
	h->tid = tid;
	h->cpu = cpu;
	h->kind = kind;
	h->flags = 0;
	return h;
}

// No wake-up per record: the observed thread must not pay for the reader's epoll. User space polls.
static __always_inline void emit_submit(void *record)
{
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

// Reports whether the CPU may send one more turn now. Windows begin and end roughly: two CPUs may
// begin the same one.
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

// Reserves a turn in the ring of the CPU with that slot. The last eighth is kept for the first and
// last turns of threads, so that a flood of other turns loses none of them.
static __always_inline struct turn *turn_reserve(struct cpu_slot *slot, __u32 cpu, bool lifecycle)
{
	__u64 room = lifecycle ? turns_per_cpu : turns_per_cpu - turns_per_cpu / RING_PARTS;
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

// Emits a record without further values.
static __always_inline void emit_plain(enum event_kind kind, __u32 tid, __u64 now, __u8 flags)
{
	struct event_plain *e = emit_reserve(sizeof(*e), kind, tid, now);

	if (!e)
		return;
	e->h.flags = flags;
	emit_submit(e);
}

// Emits a record with a stack only. Its time is taken after the stack, so that the interval that
// begins there does not include it. Returns the time; 0 = there was no room.
static __always_inline __u64 emit_stacked(enum event_kind kind, __u32 tid)
{
	struct stack_place *place = stack_take(tid, false);
	struct event_stacked *e = emit_reserve(sizeof(*e), kind, tid, 0);
	__u64 now;

	if (!e) {
		stack_free(place);
		return 0;
	}
	stack_move(&e->stack, place, tid);
	now = bpf_ktime_get_ns();
	e->h.time = now;
	emit_submit(e);
	return now;
}

// The calling thread's tid if it belongs to the target, else 0.
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
