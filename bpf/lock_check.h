// SPDX-License-Identifier: MIT OR GPL-2.0-only
// lock_check.h: when a thread's lock is checked, and the records of its M and its lock.
#ifndef PINWATCH_LOCK_CHECK_H
#define PINWATCH_LOCK_CHECK_H

// Emits the thread's M as it was seen: its place, its lock's goroutine and kind, and lockedInt. If a
// value can't be read now, a later check emits it. This and lock_emit are global functions, see
// lock_check_slow: there are many ways to what was seen.
__noinline int m_emit(__u32 tid, __u64 now, __u64 m, __u64 lockedg, __u64 kind_internal)
{
	const struct lock_seen seen = {
		.m = m, .lockedg = lockedg, .kind = (__u32)kind_internal, .internal = kind_internal >> 32};
	struct thread_state *state = thread_find(tid);
	const volatile struct go_runtime *rt;
	struct event_thread_m *e;
	struct target *t;
	__u64 id, start;
	bool extra;

	t = state ? target_at(state->slot) : NULL;
	if (!t)
		return 0;
	rt = runtime_of(t);
	if (!user_read(&id, m + rt->off_m_id) || !user_read(&start, m + rt->off_m_mstartfn) ||
	    (start && !user_read(&start, start)) || !m_is_extra(rt, &seen, &extra))
		return 0;
	e = emit_reserve(t, sizeof(*e), KIND_THREAD_M, tid, now);
	if (!e)
		return 0;
	e->m = m;
	e->id = id;
	e->start = start;
	e->extra = extra;
	emit_submit(e);
	state->emitted_m = m;
	state->is_m0 = !id;
	return 0;
}

#define SEEN_KIND_SHIFT 32
#define SEEN_PARKED_SHIFT 40

// Emits the lock as it was seen: the thread with its kind and parked, the goroutine's place and id,
// lockedExt with lockedInt in the upper half.
__noinline int lock_emit(__u64 thread, __u64 now, __u64 lockedg, __u64 goid, __u64 counts)
{
	__u8 kind = thread >> SEEN_KIND_SHIFT, parked = thread >> SEEN_PARKED_SHIFT;
	struct thread_state *state;
	struct event_lock *e;
	__u32 tid = thread;
	struct target *t;

	state = thread_find(tid);
	t = state ? target_at(state->slot) : NULL;
	if (!t)
		return 0;
	// The sums so far belong to the old lock, and the turn that ends now is no plain one.
	if (aggregate) {
		sum_flush(state, tid, now);
		state->again = 1;
	}
	e = emit_reserve(t, sizeof(*e), KIND_LOCK, tid, now);
	if (!e)
		return 0;
	e->h.flags = kind;
	e->goid = goid;
	e->entry = lockedg ? user_word(lockedg + runtime_of(t)->off_g_startpc) : 0;
	e->ext = (__u32)counts;
	e->internal = counts >> 32;
	e->parked = parked;
	emit_submit(e);
	state->wait = 0;
	state->lock = kind;
	state->lockedg = lockedg;
	state->goid = goid;
	state->ext = (__u32)counts;
	state->internal = counts >> 32;
	return 0;
}

static __always_inline void lock_note_read(struct thread_state *state, __u64 now)
{
	state->check_time = now;
	state->read_tick = now / TICK_NS;
}

static __always_inline bool lock_is_emitted(const struct thread_state *state, const struct lock_seen *seen)
{
	return seen->kind == state->lock && seen->goid == state->goid && seen->ext == state->ext &&
	       seen->internal == state->internal;
}

// Reports whether the lock must be checked at a switch-out. A thread that was found not locked is
// not checked again at each switch, nor is a locked one at each preemption: reading user memory is
// most of a switch's cost. A lock that is not checked is reported as unread. Offsets that are not
// proved need every check.
static __always_inline bool lock_is_due(const volatile struct go_runtime *rt, const struct thread_state *state,
					__u64 now, bool runnable)
{
	if (!rt->offsets_proved)
		return true;
	if (state->lock == LOCK_NONE || state->lock == LOCK_FOREIGN)
		return now - state->check_time >= UNLOCKED_AGE_NS;
	return !runnable || now - state->check_time >= LOCKED_AGE_NS;
}

// Checks the calling thread's lock and emits it if it has changed. This costs one read of user
// memory for a thread that has its m for life, two if it is locked.
static __always_inline void lock_check(struct target *t, struct thread_state *state, __u32 tid, __u64 now,
				       struct lock_seen *seen)
{
	const volatile struct go_runtime *rt = runtime_of(t);

	if (!rt->known || state->blind)
		return;
	if (state->leaving) {
		seen->kind = state->lock;
		return;
	}
	lock_note_read(state, now);
	seen->m = state->m;
	if (seen->m) {
		seen->kind = lock_read(t, seen, state, now);
	} else {
		seen->kind = m_find(rt, seen);
		if (seen->kind == LOCK_NONE)
			seen->kind = lock_read(t, seen, state, now);
		if (seen->m && seen->m != state->emitted_m)
			m_emit(tid, now, seen->m, seen->lockedg, seen->kind | (__u64)seen->internal << 32);
		if (seen->m == state->emitted_m && m_is_for_life(rt, seen))
			state->m = seen->m;
	}
	// A thread that ends has no memory for a while before sched_process_exit (kernel/exit.c, do_exit).
	if (seen->kind == LOCK_UNKNOWN && BPF_CORE_READ(current_task(), flags) & PF_EXITING) {
		seen->kind = state->lock;
		return;
	}
	if (!lock_is_emitted(state, seen))
		lock_emit(tid | (__u64)seen->kind << SEEN_KIND_SHIFT | (__u64)seen->parked << SEEN_PARKED_SHIFT, now,
			  seen->lockedg, seen->goid, seen->ext | (__u64)seen->internal << 32);
}

// A hash of where a thread sleeps: its stack pointer, the word it waits for, and whether it has
// just woken a locked thread. The stack is aligned.
static __always_inline __u32 wait_place(struct task_struct *task, const struct cpu_slot *slot)
{
	__u64 sp, word;

	user_call(task, &sp, &word);
	return (((__u32)sp | slot->woke_locked) * 0x9e3779b1 ^ (__u32)word) ?: 1;
}

// Reports whether a thread sleeps where it slept when its memory was read. Then its lock is
// unchanged: locked, with its goroutine waiting, or not locked. Of the runtime's paths to the word
// of an M (m.park) through mPark, stopm below findRunnable is deeper than stoplockedm. stopm below
// startlockedm may be just as deep (go1.21 to 1.27: both 0x58 bytes below schedule), but there the
// thread has just woken the locked one that it hands its P to. That wake-up is seen unless the
// other thread was just about to sleep.
//
// Missed is a thread that released or took its lock since the read, for at most WAIT_AGE_NS. The
// goroutine it is locked to is as old as the read, too. Reading the registers costs a small part of
// reading user memory here, at the end of a system call.
static __always_inline bool waits_as_before(const struct thread_state *state, struct task_struct *task,
					    const struct cpu_slot *slot, __u64 now)
{
	if (!state->wait || state->leaving || state->blind || now - state->check_time >= WAIT_AGE_NS ||
	    (__u32)(now / TICK_NS) - state->read_tick >= WAIT_AGE_NS / TICK_NS)
		return false;
	if (state->lock == LOCK_USER ? slot->woke_locked : state->masked)
		return false;
	return wait_place(task, slot) == state->wait;
}

static __always_inline void note_wait(const volatile struct go_runtime *rt, struct thread_state *state,
				      struct task_struct *task, const struct cpu_slot *slot,
				      const struct lock_seen *seen)
{
	if (rt->offsets_proved && state->m && seen->kind == state->lock &&
	    (seen->kind == LOCK_USER ? seen->parked : seen->kind == LOCK_NONE && !state->is_m0))
		state->wait = wait_place(task, slot);
}

// Handles the two cases of nearly all checks with one read: a thread that is not locked still is
// not, and a locked one still is to the same goroutine. false: it is another case, or one read does
// not decide.
static __always_inline bool lock_is_same(const volatile struct go_runtime *rt, const struct thread_state *state,
					 __u64 now, struct lock_seen *seen)
{
	__u64 lockedg;

	seen->m = state->m;
	if (!seen->m || state->leaving || state->blind)
		return false;
	seen->kind = state->lock;
	if (seen->kind == LOCK_USER)
		return now - state->depth_time < DEPTH_AGE_NS && g_read(rt, seen, state->lockedg) &&
		       seen->goid == state->goid;
	return seen->kind == LOCK_NONE && rt->offsets_proved && !state->masked && !state->is_m0 &&
	       user_read(&lockedg, seen->m + rt->off_m_lockedg) && !lockedg;
}

// The whole check, out of the way of the code that always runs. It is a global function, as others
// that are called seldom: the verifier follows such a function once, not for every caller's state.
__noinline int lock_check_slow(__u32 tid, __u32 cpu, __u64 now)
{
	struct thread_state *state = thread_find(tid);
	struct cpu_slot *slot = cpu_slot(cpu);
	const struct lock_seen nothing = {};
	struct target *t;

	if (!state || !slot)
		return 0;
	t = target_at(state->slot);
	if (!t)
		return 0;
	slot->lock = nothing;
	lock_check(t, state, tid, now, &slot->lock);
	return 0;
}

// Checks the lock of a thread that leaves its CPU, voluntarily or still runnable. The result is in
// slot->lock.
static __always_inline void lock_check_switch(const struct target *t, struct thread_state *state,
					      struct task_struct *task, struct cpu_slot *slot, __u32 cpu, __u64 now,
					      bool runnable)
{
	const volatile struct go_runtime *rt = runtime_of(t);
	struct lock_seen *seen = &slot->lock;

	if (!rt->known || !lock_is_due(rt, state, now, runnable))
		return;
	if (!runnable && waits_as_before(state, task, slot, now)) {
		state->check_time = now;
		seen->kind = state->lock;
		seen->parked = seen->kind == LOCK_USER;
		return;
	}
	if (likely(lock_is_same(rt, state, now, seen)))
		lock_note_read(state, now);
	else
		lock_check_slow(state->tid, cpu, now);
	if (!runnable)
		note_wait(rt, state, task, slot, seen);
}

// Checks the calling thread's lock and returns its kind. A global function, see lock_check_slow.
__noinline int lock_check_self(__u32 tid, __u64 now)
{
	struct thread_state *self = thread_find(tid);
	struct target *t = self ? target_at(self->slot) : NULL;
	struct lock_seen seen = {};

	if (t)
		lock_check(t, self, tid, now, &seen);
	return seen.kind;
}

// Reads the lock of another thread of the target, which may run meanwhile. Its memory is the
// caller's too. One read shows whether it still names the goroutine that was checked before.
static __always_inline __u8 lock_peek(struct target *t, struct thread_state *state, __u64 now)
{
	const volatile struct go_runtime *rt = runtime_of(t);
	struct lock_seen seen = {};
	__u64 lockedg;

	if (!rt->known || !state || state->blind)
		return LOCK_UNREAD;
	if (state->leaving)
		return state->lock;
	seen.m = state->m;
	if (rt->offsets_proved && seen.m && state->lock == LOCK_USER && user_read(&lockedg, seen.m + rt->off_m_lockedg) &&
	    lockedg == state->lockedg)
		return LOCK_USER;
	if (seen.m)
		return lock_read(t, &seen, state, now);
	return state->lock == LOCK_FOREIGN ? LOCK_FOREIGN : LOCK_UNKNOWN;
}

#endif
