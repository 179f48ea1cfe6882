// SPDX-License-Identifier: MIT OR GPL-2.0-only
// aggregate.h: sums of turns in the kernel, for targets with too many switches to send each. A
// thread's sums are emitted when a window begins or ends, and before each turn that is sent.
// Without config.h's aggregate the programs contain none of this.
#ifndef PINWATCH_AGGREGATE_H
#define PINWATCH_AGGREGATE_H

static __always_inline void sum_fill(struct event_sum *e, const struct thread_state *state)
{
	const struct thread_sum *sum = &state->sum;

	e->h.flags = (state->off_runnable ? SWITCH_PREEMPTED : 0) | (state->parked ? SWITCH_PARKED : 0);
	e->switches = sum->switches;
	e->migrations = sum->migrations;
	e->run_ns = sum->run_ns;
	e->runq_ns = sum->runq_ns;
	e->blocked_ns = sum->blocked_ns;
	e->until = sum->until;
}

static __always_inline void sum_fill_lock(struct event_sum_lock *e, const struct thread_state *state)
{
	const struct thread_sum *sum = &state->sum;

	e->h.flags = sum->checks & 1;
	e->until = sum->until;
	e->checks = sum->checks >> 1;
	e->handoffs = sum->handoffs;
	e->wake_ns = sum->wake_ns;
	e->cpu_ns = sum->cpu_ns;
}

// Emits the calling thread's sums, with a time just before now: they precede what happens now. Sums
// that find no room are emitted next time.
__noinline int sum_send(__u32 tid, __u64 now)
{
	struct thread_state *state = thread_find(tid);
	struct event_sum_lock *l;
	struct event_sum *e;
	struct target *t;

	if (!state)
		return 0;
	t = target_at(state->slot);
	if (!t)
		return 0;
	if (runtime_of(t)->known) {
		l = emit_reserve(t, sizeof(*l), KIND_SUM_LOCK, tid, now);
		if (!l)
			return 0;
		sum_fill_lock(l, state);
		emit_submit(l);
	}
	e = emit_reserve(t, sizeof(*e), KIND_SUM, tid, now);
	if (!e)
		return 0;
	sum_fill(e, state);
	emit_submit(e);
	state->sum.reported = state->sum.switches;
	state->sum.checks &= ~1ULL;
	return 0;
}

static __always_inline void sum_flush(const struct thread_state *state, __u32 tid, __u64 now)
{
	if (state->sum.switches != state->sum.reported)
		sum_send(tid, now - 1);
}

// 1 if v > most, else 0; both are below 2^63. It has no branch, because the verifier would follow
// both ways.
static __always_inline __u32 exceeds(__u64 v, __u64 most)
{
	__u64 difference = most - v;

	barrier_var(difference); // else clang makes it a comparison and a branch
	return difference >> 63;
}

// The bucket of a duration, see enum sample_layout.
static __always_inline __u32 sample_bucket(__u64 ns)
{
	__u64 v = ns >> 8;
	__u32 shift;

	if (!v)
		return ns;
	if (v >> 28)
		return SAMPLE_BUCKETS - 1;
	shift = exceeds(v, 0xffff) << 4;
	shift += exceeds(v >> shift, 0xff) << 3;
	shift += exceeds(v >> shift, 0xf) << 2;
	shift += exceeds(v >> shift, 3) << 1;
	shift += v >> shift >> 1; // of the highest bit, which makes the first doubling shift 1
	return SAMPLE_SINGLES + shift * SAMPLE_PER_DOUBLING + ((ns >> (shift + 1)) & (SAMPLE_PER_DOUBLING - 1));
}

// The bank of the window that includes a moment.
static __always_inline __u32 bank_at(__u64 now)
{
	__u64 b = boundary;

	return now >= (b & ~1ULL) ? b & 1 : ~b & 1;
}

static __always_inline void sample_add(__u32 cpu, __u64 now, enum sample_of of, __u64 ns)
{
	__u32 place = (bank_at(now) * ring_cpus + cpu) * SAMPLE_OFS + of;
	struct samples *s = bpf_map_lookup_elem(&sample_banks, &place);
	__u32 bucket = sample_bucket(ns);

	if (!s || bucket >= SAMPLE_BUCKETS)
		return;
	s->sum += ns;
	if (!s->least || ns < s->least - 1)
		s->least = ns + 1;
	if (ns > s->most)
		s->most = ns;
	s->buckets[bucket]++;
	s->n++;
}

static __always_inline __u8 cpu_distance(__u32 from, __u32 to)
{
	__u32 pair = from * ring_cpus + to, line = pair / DISTANCES_PER_LINE;
	const struct distance_line *distances;

	if (from >= ring_cpus)
		return DISTANCE_UNKNOWN;
	distances = bpf_map_lookup_elem(&cpu_distances, &line);
	return distances ? distances->of[pair & (DISTANCES_PER_LINE - 1)] : DISTANCE_UNKNOWN;
}

static __always_inline void move_add(__u32 from, __u32 cpu, __u64 now, __u8 why)
{
	__u32 place = bank_at(now) * ring_cpus + cpu;
	struct moves *m = bpf_map_lookup_elem(&move_banks, &place);
	__u32 distance = cpu_distance(from, cpu);

	if (m && distance < DISTANCES)
		m->by[distance][why & 3]++;
}

static __always_inline bool lock_is_held(__u8 kind)
{
	return kind == LOCK_USER || kind == LOCK_RUNTIME || kind == LOCK_ORPHAN;
}

// Notes that a locked thread is woken. If another thread of the target wakes it and it waits for
// its goroutine (runtime.startlockedm), the waker has handed off its P and leaves its CPU next
// (stopm). Of several wake-ups in one run the first counts.
static __always_inline void locked_woken(const struct thread_state *state, const struct task_struct *task,
					 __u32 waker, __u64 now)
{
	struct cpu_slot *slot;

	if (!waker || waker == state->tid)
		return;
	slot = cpu_slot(bpf_get_smp_processor_id());
	if (!slot || !slot->task)
		return;
	slot->woke_locked = 1;
	if (!aggregate || slot->handoff >= slot->run_start)
		return;
	// task_on_cpu first: reading the other CPU's slot is expensive.
	slot->handoff_early = task_on_cpu(task) && slot_holds(cpu_slot(task_cpu(task)), task);
	if (!slot->handoff_early && !state->parked)
		return;
	slot->handoff_to = state->tid;
	slot->handoff = now;
}

// The waker leaves its CPU voluntarily: its run time since the wake-up belongs to the hand-off
// only.
static __always_inline void handoff_end(struct cpu_slot *slot, __u32 cpu, __u32 tid, __u64 now)
{
	struct thread_state *to = thread_find(slot->handoff_to);
	__u64 from = slot->handoff;

	slot->handoff = 0;
	if (!to)
		return;
	// That hand-off began at the woken thread's switch-out, if it was for its goroutine at all.
	if (slot->handoff_early) {
		if (!to->parked || to->woken_by != tid || to->off_time < from)
			return;
		from = to->off_time;
	}
	if (from < window_begin)
		return;
	if (cpu >= ring_cpus) { // it has no bank
		__sync_fetch_and_add(&alone.lost[KIND_SUM], 1);
		return;
	}
	sample_add(cpu, now, SAMPLE_CPU, now - from);
	__sync_fetch_and_add(&to->sum.cpu_ns, now - from);
}

// Reports whether a window ends and another begins between the switch-out before and this one, or
// did earlier and this is the thread's first turn since.
static __always_inline bool turn_crosses(const struct thread_state *state, const struct event_switch *e)
{
	__u64 at = boundary & ~1ULL;

	return state->off_time < boundary_before || (state->off_time < at && e->h.time >= at);
}

// Reports whether the thread's first turn on a CPU was sent. CPUs beyond the 128th are not
// recorded: all turns that begin there after a migration are sent. There is no index, because Linux
// 5.10 loses its bound.
static __always_inline bool cpu_was_sent(const struct thread_sum *sum, __u32 cpu)
{
	if (cpu < 64)
		return sum->cpus[0] >> cpu & 1;
	return cpu < 128 && sum->cpus[1] >> (cpu - 64) & 1;
}

static __always_inline void cpu_mark_sent(struct thread_sum *sum, __u32 cpu)
{
	if (cpu < 64)
		sum->cpus[0] |= 1ULL << cpu;
	else if (cpu < 128)
		sum->cpus[1] |= 1ULL << (cpu - 64);
}

// Turns in a row that are sent while something is in progress. It normally takes a few. If its end
// never comes, as with a signal mask that C code sets for life, later turns are summed all the
// same.
#define BUSY_TURNS 64

// Reports whether all parts of the turn are known, and small enough to be summed on this CPU.
static __always_inline bool turn_is_whole(const struct event_switch *e)
{
	return e->h.cpu < ring_cpus &&
	       (e->h.flags & (SWITCH_RUN | SWITCH_OFF | SWITCH_FIRST | SWITCH_DEAD)) == (SWITCH_RUN | SWITCH_OFF) &&
	       !((e->run_ns | e->runq_ns | e->blocked_ns) >> 32);
}

// Reports whether a turn can be summed, as nearly all can: no exact value depends on it, and it
// begins at the end of the last one, in the present window.
static __always_inline bool turn_is_plain(const struct thread_state *state, const struct event_switch *e)
{
	return !state->busy && !state->again && state->off_time >= boundary && e->last_cpu == (__s16)e->h.cpu &&
	       turn_is_whole(e);
}

// The same for turns that are not plain.
static __always_inline bool turn_is_calm(struct thread_state *state, const struct event_switch *e)
{
	__u32 cpu = e->h.cpu;

	// The turn after the last busy one comes here because of `again`.
	if (!state->busy) {
		state->sent = 0;
	} else if (state->sent < BUSY_TURNS) {
		state->sent++;
		state->again = 1;
		return false;
	}
	if (state->again) {
		state->again = 0;
		return false;
	}
	if (!turn_is_whole(e) || e->last_cpu < 0 || turn_crosses(state, e))
		return false;
	return cpu == (__u32)e->last_cpu || cpu_was_sent(&state->sum, cpu);
}

// Reports whether another thread of the target woke this one for its locked goroutine.
static __always_inline bool turn_is_handoff(const struct thread_state *state, const struct event_switch *e)
{
	return state->parked && e->waker && e->waker != e->h.tid && lock_is_held(state->lock);
}

static __always_inline void turn_add(struct thread_state *state, const struct event_switch *e)
{
	struct thread_sum *sum = &state->sum;

	// First: a reader that finds it no later than state->off_time has read consistent sums.
	publish(&sum->until, e->h.time);
	sum->switches++;
	sum->run_ns += e->run_ns;
	sum->runq_ns += e->runq_ns;
	sum->blocked_ns += e->blocked_ns;
	if (e->last_cpu != (__s16)e->h.cpu) {
		sum->migrations++;
		move_add(e->last_cpu, e->h.cpu, e->h.time, e->why);
	}
	if (e->lock != LOCK_UNREAD)
		sum->checks = (sum->checks + 2) | !(e->h.flags & SWITCH_PREEMPTED);
	// The hand-off belongs to the window in which the turn ends, unless it began before all
	// windows.
	if (turn_is_handoff(state, e) && e->h.time - e->run_ns - e->runq_ns >= window_begin) {
		sample_add(e->h.cpu, e->h.time, SAMPLE_WAKE, e->runq_ns);
		sum->handoffs++;
		sum->wake_ns += e->runq_ns;
	}
}

__noinline int turn_aggregate_slow(__u32 tid, __u32 cpu)
{
	struct thread_state *state = thread_find(tid);
	struct cpu_slot *slot = cpu_slot(cpu);
	const struct event_switch *e;

	if (!state || !slot)
		return false;
	e = &slot->turn;
	if (turn_is_calm(state, e)) {
		turn_add(state, e);
		return true;
	}
	sum_flush(state, e->h.tid, e->h.time);
	if (turn_crosses(state, e))
		state->sum.cpus[0] = state->sum.cpus[1] = 0;
	cpu_mark_sent(&state->sum, cpu);
	return false;
}

// Sums a turn. false: it must be sent; the sums before it have been emitted.
static __always_inline bool turn_aggregate(struct thread_state *state, const struct event_switch *e)
{
	if (unlikely(!turn_is_plain(state, e)))
		return turn_aggregate_slow(e->h.tid, e->h.cpu);
	turn_add(state, e);
	return true;
}

#endif
