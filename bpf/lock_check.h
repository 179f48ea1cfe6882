// SPDX-License-Identifier: MIT OR GPL-2.0-only
// lock_check.h: when a thread's lock is checked, and the records of its M and its lock.
#ifndef PINWATCH_LOCK_CHECK_H
#define PINWATCH_LOCK_CHECK_H

// Emits the thread's M. If a value can't be read now, a later check emits it.
static __always_inline void m_emit(struct thread_state *state, const struct lock_seen *seen, __u32 tid, __u64 now)
{
	struct event_thread_m *e;
	__u64 id, start;
	bool extra;

	if (!user_read(&id, seen->m + off_m_id) || !user_read(&start, seen->m + off_m_mstartfn) ||
	    (start && !user_read(&start, start)) || !m_is_extra(seen, &extra))
		return;
	e = emit_reserve(sizeof(*e), KIND_THREAD_M, tid, now);
	if (!e)
		return;
	e->m = seen->m;
	e->id = id;
	e->start = start;
	e->extra = extra;
	emit_submit(e);
	state->emitted_m = seen->m;
	state->is_m0 = !id;
}

static __always_inline void lock_emit(struct thread_state *state, const struct lock_seen *seen, __u32 tid, __u64 now)
{
	struct event_lock *e;

	// The sums so far belong to the old lock, and the turn that ends now is no plain one.
	if (aggregate) {
		sum_flush(state, tid, now);
		state->again = 1;
	}
	e = emit_reserve(sizeof(*e), KIND_LOCK, tid, now);
	if (!e)
		return;
	e->h.flags = seen->kind;
	e->goid = seen->goid;
	e->entry = seen->lockedg ? user_word(seen->lockedg + off_g_startpc) : 0;
	e->ext = seen->ext;
	e->internal = seen->internal;
	e->parked = seen->parked;
	emit_submit(e);
	state->wait = 0;
	state->lock = seen->kind;
	state->lockedg = seen->lockedg;
	state->goid = seen->goid;
	state->ext = seen->ext;
	state->internal = seen->internal;
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
static __always_inline bool lock_is_due(const struct thread_state *state, __u64 now, bool runnable)
{
	if (!offsets_proved)
		return true;
	if (state->lock == LOCK_NONE || state->lock == LOCK_FOREIGN)
		return now - state->check_time >= UNLOCKED_AGE_NS;
	return !runnable || now - state->check_time >= LOCKED_AGE_NS;
}

// Checks the calling thread's lock and emits it if it has changed. This costs one read of user
// memory for a thread that has its m for life, two if it is locked.
static __always_inline void lock_check(struct thread_state *state, __u32 tid, __u64 now, struct lock_seen *seen)
{
	if (!runtime_known || state->blind)
		return;
	if (state->leaving) {
		seen->kind = state->lock;
		return;
	}
	lock_note_read(state, now);
	seen->m = state->m;
	if (seen->m) {
		seen->kind = lock_read(seen, state, now);
	} else {
		seen->kind = m_find(seen);
		if (seen->kind == LOCK_NONE)
			seen->kind = lock_read(seen, state, now);
		if (seen->m && seen->m != state->emitted_m)
			m_emit(state, seen, tid, now);
		if (seen->m == state->emitted_m && m_is_for_life(seen))
			state->m = seen->m;
	}
	// A thread that ends has no memory for a while before sched_process_exit (kernel/exit.c, do_exit).
	if (seen->kind == LOCK_UNKNOWN && BPF_CORE_READ(current_task(), flags) & PF_EXITING) {
		seen->kind = state->lock;
		return;
	}
	if (!lock_is_emitted(state, seen))
		lock_emit(state, seen, tid, now);
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

static __always_inline void note_wait(struct thread_state *state, struct task_struct *task, const struct cpu_slot *slot,
				      const struct lock_seen *seen)
{
	if (offsets_proved && state->m && seen->kind == state->lock &&
	    (seen->kind == LOCK_USER ? seen->parked : seen->kind == LOCK_NONE && !state->is_m0))
		state->wait = wait_place(task, slot);
}

// Handles the two cases of nearly all checks with one read: a thread that is not locked still is
// not, and a locked one still is to the same goroutine. false: it is another case, or one read does
// not decide.
static __always_inline bool lock_is_same(const struct thread_state *state, __u64 now, struct lock_seen *seen)
{
	__u64 lockedg;

	seen->m = state->m;
	if (!seen->m || state->leaving || state->blind)
		return false;
	seen->kind = state->lock;
	if (seen->kind == LOCK_USER)
		return now - state->depth_time < DEPTH_AGE_NS && g_read(seen, state->lockedg) &&
		       seen->goid == state->goid;
	return seen->kind == LOCK_NONE && offsets_proved && !state->masked && !state->is_m0 &&
	       user_read(&lockedg, seen->m + off_m_lockedg) && !lockedg;
}

// The whole check, out of the way of the code that always runs. It is a global function, as others
// that are called seldom: the verifier follows such a function once, not for every caller's state.
__noinline int lock_check_slow(__u32 tid, __u32 cpu, __u64 now)
{
	struct thread_state *state = thread_find(tid);
	struct cpu_slot *slot = cpu_slot(cpu);
	const struct lock_seen nothing = {};

	if (!state || !slot)
		return 0;
	slot->lock = nothing;
	lock_check(state, tid, now, &slot->lock);
	return 0;
}

// Checks the lock of a thread that leaves its CPU, voluntarily or still runnable. The result is in
// slot->lock.
static __always_inline void lock_check_switch(struct thread_state *state, struct task_struct *task,
					      struct cpu_slot *slot, __u32 cpu, __u64 now, bool runnable)
{
	struct lock_seen *seen = &slot->lock;

	if (!runtime_known || !lock_is_due(state, now, runnable))
		return;
	if (!runnable && waits_as_before(state, task, slot, now)) {
		state->check_time = now;
		seen->kind = state->lock;
		seen->parked = seen->kind == LOCK_USER;
		return;
	}
	if (likely(lock_is_same(state, now, seen)))
		lock_note_read(state, now);
	else
		lock_check_slow(state->tid, cpu, now);
	if (!runnable)
		note_wait(state, task, slot, seen);
}

// The same for a caller that has not looked up the thread's state.
static __always_inline __u8 lock_check_self(__u32 tid, __u64 now)
{
	struct thread_state *self = runtime_known ? thread_find(tid) : NULL;
	struct lock_seen seen = {};

	if (self)
		lock_check(self, tid, now, &seen);
	return seen.kind;
}

// Reads the lock of another thread of the target, which may run meanwhile. Its memory is the
// caller's too. One read shows whether it still names the goroutine that was checked before.
static __always_inline __u8 lock_peek(struct thread_state *state, __u64 now)
{
	struct lock_seen seen = {};
	__u64 lockedg;

	if (!runtime_known || !state || state->blind)
		return LOCK_UNREAD;
	if (state->leaving)
		return state->lock;
	seen.m = state->m;
	if (offsets_proved && seen.m && state->lock == LOCK_USER && user_read(&lockedg, seen.m + off_m_lockedg) &&
	    lockedg == state->lockedg)
		return LOCK_USER;
	if (seen.m)
		return lock_read(&seen, state, now);
	return state->lock == LOCK_FOREIGN ? LOCK_FOREIGN : LOCK_UNKNOWN;
}

#endif
