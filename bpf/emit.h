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

// The place of the ring buffer that the CPU shares with its neighbours. A CPU that came after the attach shares
// one with others.
static __always_inline __u32 ring_of_cpu(__u32 cpu)
{
	return cpu >> ring_shift & ring_mask;
}

// Bytes of a ring buffer that each record takes besides its own (kernel/bpf/ringbuf.c, BPF_RINGBUF_HDR_SZ).
#define RECORD_HEADER 8

static __always_inline struct share *share_of(__u32 slot, __u32 column)
{
	__u32 place = slot * share_columns + column;

	return column < share_columns ? bpf_map_lookup_elem(&shares, &place) : NULL;
}

// With many: reports whether a ring buffer that is more than half full takes one more record of a
// target. Of its share of that half the target may use the parts above half that ring_share gives
// the kind. CPUs that share the buffer may together exceed a share by a record each. A global
// function, see lock_check_slow.
__noinline int ring_accepts(__u32 ring, __u32 slot, __u32 kind_share, __u32 size)
{
	struct crowd *crowd = bpf_map_lookup_elem(&crowds, &ring);
	struct share *share = share_of(slot, ring);

	if (!crowd || !share)
		return 0;
	crowd->crowded = 1;
	if (share->bytes_epoch != crowd->epoch) {
		share->bytes_epoch = crowd->epoch;
		share->bytes = 0;
	}
	if (share->bytes + size > share_bytes / (RING_PARTS / 2) * (kind_share - RING_PARTS / 2))
		return 0;
	__sync_fetch_and_add(&share->bytes, size);
	return 1;
}

// Notes that a ring buffer is less than half full again.
static __always_inline void ring_relaxed(__u32 ring)
{
	struct crowd *crowd = bpf_map_lookup_elem(&crowds, &ring);

	if (crowd && unlikely(crowd->crowded)) {
		crowd->crowded = 0;
		__sync_fetch_and_add(&crowd->epoch, 1);
	}
}

static __always_inline bool ring_has_room(const struct target *t, void *ring, __u32 place, __u32 share, __u64 size)
{
	__u64 used;

	if (!many && share == RING_PARTS)
		return true;
	used = bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA);
	if (!many)
		return used < ring_size / RING_PARTS * share;
	if (used >= ring_size / 2)
		return ring_accepts(place, t->slot, share, size + RECORD_HEADER);
	ring_relaxed(place);
	return true;
}

static __always_inline void *emit_reserve(struct target *t, __u64 size, enum event_kind kind, __u32 tid, __u64 now)
{
	__u32 cpu = bpf_get_smp_processor_id(), place = ring_of_cpu(cpu);
	void *ring = bpf_map_lookup_elem(&rings, &place);
	struct event_header *h = NULL;

	if (ring && ring_has_room(t, ring, place, ring_share(kind), size))
		h = bpf_ringbuf_reserve(ring, size, 0);
	if (!h) {
		__sync_fetch_and_add(&t->lost[kind], 1);
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

// The same for a record that user space must see at once, and that is rare.
static __always_inline void emit_submit_waking(void *record)
{
	bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
}

// Reports whether the CPU may send one more turn now, of a target's rate. Windows begin and end
// roughly: two CPUs may begin the same one.
static __always_inline bool rate_window_allows(__u32 *quota, __u64 *begin, __u64 *used, __u64 now)
{
	if (*quota) {
		--*quota;
		return true;
	}
	if (now - *begin >= RATE_WINDOW_NS) {
		*begin = now;
		*used = 0;
	}
	if (*used >= rate_limit)
		return false;
	__sync_fetch_and_add(used, rate_chunk);
	*quota = rate_chunk - 1;
	return true;
}

static __always_inline bool rate_allows(struct target *t, struct cpu_slot *slot, __u32 cpu, __u64 now)
{
	struct share *share;

	if (!many)
		return rate_window_allows(&slot->quota, &rate_begin, &rate_used, now);
	share = share_of(t->slot, cpu);
	return share && rate_window_allows(&share->quota, &t->rate_begin, &t->rate_used, now);
}

// Counts a turn that found no room or exceeded the rate.
static __always_inline void turn_lost(struct target *t, struct cpu_slot *slot, __u32 cpu)
{
	struct share *share;

	slot->lost++;
	if (!many)
		return;
	share = share_of(t->slot, cpu);
	if (share)
		share->lost++;
	else
		__sync_fetch_and_add(&t->lost_turns, 1);
}

// Counts a turn of a thread without state.
static __always_inline void turn_untracked(struct target *t, struct cpu_slot *slot, __u32 cpu)
{
	struct share *share;

	slot->untracked++;
	if (!many)
		return;
	share = share_of(t->slot, cpu);
	if (share)
		share->untracked++;
	else
		__sync_fetch_and_add(&t->untracked_turns, 1);
}

// With many: reports whether a CPU's ring of turns, which looks more than half full, takes one more
// of a target. A quarter of its share is kept for the first and last turns of threads. A global
// function, see lock_check_slow.
__noinline int turns_accept(__u32 owner, __u32 cpu, __u32 lifecycle)
{
	struct share *share = share_of(owner, cpu);
	struct cpu_slot *slot = cpu_slot(cpu);
	__u64 used;

	if (!slot || !share)
		return 0;
	slot->tail_seen = *(volatile __u64 *)&slot->tail;
	used = slot->head - slot->tail_seen;
	if (used < turns_per_cpu / 2) {
		slot->epoch += slot->crowded;
		slot->crowded = 0;
		return 1;
	}
	slot->crowded = 1;
	if (share->turns_epoch != slot->epoch) {
		share->turns_epoch = slot->epoch;
		share->turns = 0;
	}
	if (used >= turns_per_cpu || share->turns >= (lifecycle ? share_turns : share_turns - share_turns / 4))
		return 0;
	share->turns++;
	return 1;
}

// Reserves a turn in the ring of the CPU with that slot. The last eighth is kept for the first and
// last turns of threads, so that a flood of other turns loses none of them.
static __always_inline struct turn *turn_reserve(struct target *t, struct cpu_slot *slot, __u32 cpu, bool lifecycle)
{
	__u64 room = lifecycle ? turns_per_cpu : turns_per_cpu - turns_per_cpu / RING_PARTS;
	__u32 place = cpu * turns_per_cpu + (slot->head & (turns_per_cpu - 1));

	if (many) {
		if (slot->head - slot->tail_seen >= turns_per_cpu / 2 && !turns_accept(t->slot, cpu, lifecycle)) {
			turn_lost(t, slot, cpu);
			return NULL;
		}
	} else if (slot->head - slot->tail_seen >= room) {
		slot->tail_seen = *(volatile __u64 *)&slot->tail;
		if (slot->head - slot->tail_seen >= room) {
			turn_lost(t, slot, cpu);
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
static __always_inline void emit_plain(struct target *t, enum event_kind kind, __u32 tid, __u64 now, __u8 flags)
{
	struct event_plain *e = emit_reserve(t, sizeof(*e), kind, tid, now);

	if (!e)
		return;
	e->h.flags = flags;
	emit_submit(e);
}

// Emits a record with a stack only. Its time is taken after the stack, so that the interval that
// begins there does not include it. Returns the time; 0 = there was no room.
static __always_inline __u64 emit_stacked(struct target *t, enum event_kind kind, __u32 tid)
{
	struct stack_place *place = stack_take(tid, false, NULL);
	struct event_stacked *e = emit_reserve(t, sizeof(*e), kind, tid, 0);
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

#endif
