// SPDX-License-Identifier: MIT OR GPL-2.0-only
// goruntime.h: reads from the Go runtime's memory which M the calling thread is, and which
// goroutine that is locked to. Except in lock_peek, a thread reads its own M, so nothing writes
// meanwhile. Every value must agree with another: m.procid is the thread's tid, lockedg.lockedm is
// the m. The names are those of runtime/runtime2.go.
#ifndef PINWATCH_GORUNTIME_H
#define PINWATCH_GORUNTIME_H

// Status of a g, without the collector's bit: runtime/runtime2.go _Grunning, _Gsyscall, _Gscan.
#define G_RUNNING 2
#define G_SYSCALL 3
#define G_SCAN 0x1000

// Ages up to which a value that was read before still counts.
enum lock_age {
	DEPTH_AGE_NS = 1000000,	  // of lockedExt and lockedInt, while the lock is the same
	UNLOCKED_AGE_NS = 100000, // of a check that found no lock
	LOCKED_AGE_NS = 250000,	  // of a check that found a lock, at a preemption
	WAIT_AGE_NS = 1000000,	  // of a read, see waits_as_before
};

// Unit of thread_state.read_tick.
#define TICK_NS 1024

static __always_inline __u64 user_word(__u64 address)
{
	__u64 value = 0;

	bpf_probe_read_user(&value, sizeof(value), (void *)address);
	return value;
}

// The same for words whose value may be 0.
static __always_inline bool user_read(__u64 *value, __u64 address)
{
	return !bpf_probe_read_user(value, sizeof(*value), (void *)address);
}

// The calling thread's g; 0 = it has none. *failed is set if it can't be read.
static __always_inline __u64 g_of(struct task_struct *task, bool *failed)
{
	__u64 base = thread_g_base(task), g = 0;

	if (g_in_register)
		return base;
	if (bpf_probe_read_user(&g, sizeof(g), (void *)(base + g_tls_offset)))
		*failed = true;
	return g;
}

// Finds the calling thread's m through its g.
static __always_inline __u32 m_find(struct lock_seen *seen)
{
	struct task_struct *task = current_task();
	__u64 g, m, procid = 0;
	bool failed = false;

	g = g_of(task, &failed);
	if (failed)
		return LOCK_UNKNOWN;
	if (!g)
		return LOCK_FOREIGN;
	m = user_word(g + off_g_m);
	if (!m || bpf_probe_read_user(&procid, sizeof(procid), (void *)(m + off_m_procid)))
		return LOCK_UNKNOWN;
	if (!procid)
		return LOCK_UNREAD; // the thread has just begun: runtime.minit writes it last
	if (procid != thread_innermost_tid(task))
		return LOCK_UNKNOWN;
	seen->m = m;
	return LOCK_NONE;
}

// Reads the goroutine that seen->m may be locked to; 0 = its lockedm is not that m. This is a
// function of its own: before Linux 6.13 a program and its callees have 512 bytes of stack
// together.
static __noinline int g_read(struct lock_seen *seen, __u64 g)
{
	__u8 piece[G_PIECE_MAX] __attribute__((aligned(8)));
	__u64 m = 1;
	__u32 status;

	if (bpf_probe_read_user(piece, g_piece_size, (void *)(g + g_piece)) ||
	    *(__u64 *)(piece + in_g_lockedm) != seen->m)
		return 0;
	seen->lockedg = g;
	seen->goid = *(__u64 *)(piece + in_g_goid);
	// The status is "waiting" too while the runtime works for the goroutine on the system
	// stack, but then it keeps its m (runtime.dropg).
	status = *(__u32 *)(piece + in_g_status) & ~G_SCAN;
	seen->parked = status != G_RUNNING && status != G_SYSCALL && user_read(&m, g + off_g_m) && !m;
	return 1;
}

// Reports whether the goroutine of a locked m that names none has exited: if the m has also handed
// off its P and runs nothing, or has blocked its signals (runtime.mexit). Otherwise it may be
// inside LockOSThread, which counts before it names, or at the end of a coroutine
// (runtime.coroswitch_m).
static __always_inline bool m_is_orphan(__u64 m, bool masked)
{
	__u64 p = 1, curg = 1;

	if (!offsets_proved && !lock_proved)
		return false;
	return masked || (user_read(&p, m + off_m_p) && user_read(&curg, m + off_m_curg) && !p && !curg);
}

static __always_inline bool counts_read(struct lock_seen *seen)
{
	__u32 counts[2]; // lockedExt, lockedInt

	if (bpf_probe_read_user(counts, sizeof(counts), (void *)(seen->m + off_m_lockedext)))
		return false;
	seen->ext = counts[0];
	seen->internal = counts[1];
	return true;
}

// The lock of an m that names no goroutine. The counts are on a cache line that nothing else
// touches, so reading them is slow. They matter only where a goroutine may have exited: on a thread
// that was locked, that is about to end, or that can't end (m0).
static __always_inline __u32 lock_read_none(struct lock_seen *seen, const struct thread_state *state)
{
	if (offsets_proved && state->lock < LOCK_USER && !state->masked && !state->is_m0)
		return LOCK_NONE;
	if (!counts_read(seen))
		return LOCK_UNKNOWN;
	if (!seen->ext && !seen->internal)
		return LOCK_NONE;
	return seen->ext && m_is_orphan(seen->m, state->masked) ? LOCK_ORPHAN : LOCK_UNKNOWN;
}

// Reads the lock of seen->m. Unless the thread is about to end, its goroutine is most likely the
// one of last time. If that goroutine's lockedm is still the m, then m.lockedg is unchanged too,
// and only counts older than DEPTH_AGE_NS are read again.
static __always_inline __u32 lock_read(struct lock_seen *seen, struct thread_state *state, __u64 now)
{
	__u64 lockedg = state->lockedg;

	if (!lockedg || state->masked || !g_read(seen, lockedg)) {
		if (!user_read(&lockedg, seen->m + off_m_lockedg))
			return LOCK_UNKNOWN;
		if (!lockedg)
			return lock_read_none(seen, state);
		if (!g_read(seen, lockedg))
			return LOCK_UNKNOWN;
	}
	if (state->lock == LOCK_USER && seen->goid == state->goid && now - state->depth_time < DEPTH_AGE_NS) {
		seen->ext = state->ext;
		seen->internal = state->internal;
		return LOCK_USER;
	}
	if (!counts_read(seen))
		return LOCK_UNKNOWN;
	state->depth_time = now;
	if (seen->ext) {
		if (!offsets_proved)
			lock_proved = 1;
		return LOCK_USER;
	}
	if (seen->internal)
		return LOCK_RUNTIME;
	seen->lockedg = seen->goid = seen->parked = 0; // UnlockOSThread counts before it clears the goroutine
	return offsets_proved ? LOCK_NONE : LOCK_UNKNOWN;
}

// Reports whether the thread has its M for life. Only an M that is lent to a thread of C code
// changes threads. The runtime holds it locked while it is lent (runtime/proc.go, oneNewExtraM).
static __always_inline bool m_is_for_life(const struct lock_seen *seen)
{
	return !runtime_cgo || (seen->kind >= LOCK_NONE && !seen->internal);
}

// Finds whether the M is lent to a thread of C code. Releases without m.isextra lock it for good to
// a goroutine that has no first function.
static __always_inline bool m_is_extra(const struct lock_seen *seen, bool *extra)
{
	__u64 start = 1;
	__u8 flag = 0;

	if (off_m_isextra) {
		if (bpf_probe_read_user(&flag, sizeof(flag), (void *)(seen->m + off_m_isextra)))
			return false;
		*extra = flag;
		return true;
	}
	*extra = false;
	if (seen->kind == LOCK_UNKNOWN)
		return false;
	if (!seen->internal)
		return true;
	if (!seen->lockedg || !user_read(&start, seen->lockedg + off_g_startpc))
		return false;
	*extra = !start;
	return true;
}

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

// The whole check, out of the way of the code that always runs.
static __noinline int lock_check_slow(struct thread_state *state, __u32 tid, __u64 now, struct lock_seen *seen)
{
	const struct lock_seen nothing = {};

	*seen = nothing;
	lock_check(state, tid, now, seen);
	return 0;
}

// Checks the lock of a thread that leaves its CPU, voluntarily or still runnable.
static __always_inline void lock_check_switch(struct thread_state *state, struct task_struct *task,
					      const struct cpu_slot *slot, __u64 now, bool runnable,
					      struct lock_seen *seen)
{
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
		lock_check_slow(state, task->pid, now, seen);
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
