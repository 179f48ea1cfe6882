// SPDX-License-Identifier: MIT OR GPL-2.0-only
// aggregate.h: turns added up in the kernel, for targets whose every switch would be too much to send. A thread's sums are told when a
// window begins or ends, and before each turn that is sent. Nothing here is built into the programs unless config.h's aggregate is set.
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
	barrier();
	e->until = *(volatile __u64 *)&sum->until; // last, see turn_add
}

static __always_inline void sum_fill_lock(struct event_sum_lock *e, const struct thread_state *state)
{
	const struct thread_sum *sum = &state->sum;

	e->h.flags = sum->looks & 1;
	e->until = sum->until;
	e->looks = sum->looks >> 1;
	e->handoffs = sum->handoffs;
	e->wake_ns = sum->wake_ns;
	e->cpu_ns = sum->cpu_ns;
}

// Tells the sums of the calling thread, if there is anything new, as of just before now: what happens now comes behind them. What finds no
// room is told next time.
static __noinline int sum_send(struct thread_state *state, __u32 tid, __u64 now)
{
	struct event_sum_lock *l;
	struct event_sum *e;

	if (runtime_known) {
		l = emit_reserve(sizeof(*l), KIND_SUM_LOCK, tid, now);
		if (!l)
			return 0;
		sum_fill_lock(l, state);
		emit_submit(l);
	}
	e = emit_reserve(sizeof(*e), KIND_SUM, tid, now);
	if (!e)
		return 0;
	sum_fill(e, state);
	emit_submit(e);
	state->sum.told = state->sum.switches;
	state->sum.looks &= ~1ULL;
	return 0;
}

static __always_inline void sum_tell(struct thread_state *state, __u32 tid, __u64 now)
{
	if (state->sum.switches != state->sum.told)
		sum_send(state, tid, now - 1);
}

// 1 where v is more than most, else 0; both below 2^63. Without a branch, of which the verifier would follow both ways.
static __always_inline __u32 exceeds(__u64 v, __u64 most)
{
	__u64 difference = most - v;

	barrier_var(difference); // clang would make it a comparison, and that a branch
	return difference >> 63;
}

// The bucket of a duration, see struct samples.
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
	return 256 + shift * 128 + ((ns >> (shift + 1)) & 127);
}

// The bank of the window that a moment is in.
static __always_inline __u32 bank_at(__u64 now)
{
	__u64 b = boundary;

	return now >= (b & ~1ULL) ? b & 1 : ~b & 1;
}

static __always_inline void sample_add(__u32 cpu, __u64 now, enum sample_of of, __u64 ns)
{
	__u32 place = (bank_at(now) * cpu_count + cpu) * SAMPLE_OFS + of;
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

static __always_inline void move_add(__u32 from, __u32 cpu, __u64 now, __u8 why)
{
	__u32 place = (bank_at(now) * cpu_count + from) * cpu_count + cpu;
	struct moves *m = bpf_map_lookup_elem(&move_banks, &place);

	if (m)
		m->by_why[why & 3]++;
}

static __always_inline bool lock_is_held(__u8 kind)
{
	return kind == LOCK_USER || kind == LOCK_RUNTIME || kind == LOCK_ORPHAN;
}

// A locked thread is woken. Where it is by another one of the target and waits for its goroutine (runtime.startlockedm), that one has given its
// P away for that, so it leaves its CPU next (stopm). Where it has woken several in one run, the first counts.
static __always_inline void locked_woken(const struct thread_state *state, const struct task_struct *task, __u64 now)
{
	__u64 self = bpf_get_current_pid_tgid();
	struct cpu_slot *slot;

	if ((__u32)(self >> 32) != target_tgid || (__u32)self == state->tid)
		return;
	slot = cpu_slot(bpf_get_smp_processor_id());
	if (!slot || !slot->task)
		return;
	slot->woke_locked = 1;
	if (!aggregate || slot->handoff >= slot->since)
		return;
	slot->handoff_early = task_on_cpu(task) && slot_holds(cpu_slot(task_cpu(task)), task); // the other CPU's slot is dear
	if (!slot->handoff_early && !state->parked)
		return;
	slot->handoff_to = state->tid;
	slot->handoff = now;
}

// The waker leaves its CPU of its own will: what it ran since the waking was for the hand-off alone.
static __always_inline void handoff_end(struct cpu_slot *slot, __u32 cpu, __u32 tid, __u64 now)
{
	struct thread_state *to = thread_find(slot->handoff_to);
	__u64 from = slot->handoff;

	slot->handoff = 0;
	if (!to)
		return;
	if (slot->handoff_early) { // that began when the woken thread had left its CPU, if it was for its goroutine at all
		if (!to->parked || to->woken_by != tid || to->off_time < from)
			return;
		from = to->off_time;
	}
	if (from < window_begin)
		return;
	sample_add(cpu, now, SAMPLE_CPU, now - from);
	__sync_fetch_and_add(&to->sum.cpu_ns, now - from);
}

// A window ends and another begins between the switch-out before and this one, or has long, and this is the thread's first turn since.
static __always_inline bool turn_crosses(const struct thread_state *state, const struct event_switch *e)
{
	__u64 at = boundary & ~1ULL;

	return state->off_time < boundary_before || (state->off_time < at && e->h.time >= at);
}

// The CPUs beyond the 128th are not remembered: turns that begin there after a migration are all sent. Without an index: Linux 5.10 loses its bound.
static __always_inline bool cpu_was_told(const struct thread_sum *sum, __u32 cpu)
{
	if (cpu < 64)
		return sum->cpus[0] >> cpu & 1;
	return cpu < 128 && sum->cpus[1] >> (cpu - 64) & 1;
}

static __always_inline void cpu_is_told(struct thread_sum *sum, __u32 cpu)
{
	if (cpu < 64)
		sum->cpus[0] |= 1ULL << cpu;
	else if (cpu < 128)
		sum->cpus[1] |= 1ULL << (cpu - 64);
}

// What a thread is busy with takes a few turns. Where its end does not come, as of a signal mask that C code sets for life, the turns after
// that many are added up all the same.
#define BUSY_TURNS 64

// All parts of the turn are known, and small enough to be added up.
static __always_inline bool turn_is_whole(const struct event_switch *e)
{
	return (e->h.flags & (SWITCH_RUN | SWITCH_OFF | SWITCH_FIRST | SWITCH_DEAD)) == (SWITCH_RUN | SWITCH_OFF) &&
	       !((e->run_ns | e->runq_ns | e->blocked_ns) >> 32);
}

// Whether a turn can be added up, as nearly all can: nothing that user space wants to know exactly depends on it, and it begins where the last
// one ended, in a window that is the present one.
static __always_inline bool turn_is_plain(const struct thread_state *state, const struct event_switch *e)
{
	return !state->busy && !state->again && state->off_time >= boundary && e->last_cpu == (__s16)e->h.cpu && turn_is_whole(e);
}

// The same for those that are not like that.
static __always_inline bool turn_is_calm(struct thread_state *state, const struct event_switch *e)
{
	__u32 cpu = e->h.cpu;

	if (!state->busy) { // since the turn after the last busy one, whose `again` led here
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
	return cpu == (__u32)e->last_cpu || cpu_was_told(&state->sum, cpu);
}

// The thread was woken for its locked goroutine by another of the target.
static __always_inline bool turn_is_handoff(const struct thread_state *state, const struct event_switch *e)
{
	return state->parked && e->waker && e->waker != e->h.tid && lock_is_held(state->lock);
}

static __always_inline void turn_add(struct thread_state *state, const struct event_switch *e)
{
	struct thread_sum *sum = &state->sum;

	publish(&sum->until, e->h.time); // first: who finds it to be state->off_time still has read what belongs to that
	sum->switches++;
	sum->run_ns += e->run_ns;
	sum->runq_ns += e->runq_ns;
	sum->blocked_ns += e->blocked_ns;
	if (e->last_cpu != (__s16)e->h.cpu) {
		sum->migrations++;
		move_add(e->last_cpu, e->h.cpu, e->h.time, e->why);
	}
	if (e->lock != LOCK_UNREAD)
		sum->looks = (sum->looks + 2) | !(e->h.flags & SWITCH_PREEMPTED);
	// The hand-off is the window's that the turn ends in, but for one that began before all windows.
	if (turn_is_handoff(state, e) && e->h.time - e->run_ns - e->runq_ns >= window_begin) {
		sample_add(e->h.cpu, e->h.time, SAMPLE_WAKE, e->runq_ns);
		sum->handoffs++;
		sum->wake_ns += e->runq_ns;
	}
}

static __noinline int turn_aggregate_closely(struct thread_state *state, const struct event_switch *e)
{
	__u32 cpu = e->h.cpu;

	if (turn_is_calm(state, e)) {
		turn_add(state, e);
		return true;
	}
	sum_tell(state, e->h.tid, e->h.time);
	if (turn_crosses(state, e))
		state->sum.cpus[0] = state->sum.cpus[1] = 0;
	cpu_is_told(&state->sum, cpu);
	return false;
}

// Adds a turn up; false: it is to be sent, the sums before it have been told.
static __always_inline bool turn_aggregate(struct thread_state *state, const struct event_switch *e)
{
	if (unlikely(!turn_is_plain(state, e)))
		return turn_aggregate_closely(state, e);
	turn_add(state, e);
	return true;
}

#endif
