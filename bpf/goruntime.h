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
static __always_inline __u64 g_of(const volatile struct go_runtime *rt, struct task_struct *task, bool *failed)
{
	__u64 base = thread_g_base(task, rt->g_in_register), g = 0;

	if (rt->g_in_register)
		return base;
	if (bpf_probe_read_user(&g, sizeof(g), (void *)(base + rt->g_tls_offset)))
		*failed = true;
	return g;
}

// Finds the calling thread's m through its g.
static __always_inline __u32 m_find(const volatile struct go_runtime *rt, struct lock_seen *seen)
{
	struct task_struct *task = current_task();
	__u64 g, m, procid = 0;
	bool failed = false;

	g = g_of(rt, task, &failed);
	if (failed)
		return LOCK_UNKNOWN;
	if (!g)
		return LOCK_FOREIGN;
	m = user_word(g + rt->off_g_m);
	if (!m || bpf_probe_read_user(&procid, sizeof(procid), (void *)(m + rt->off_m_procid)))
		return LOCK_UNKNOWN;
	if (!procid)
		return LOCK_UNREAD; // the thread has just begun: runtime.minit writes it last
	if (procid != thread_innermost_tid(task))
		return LOCK_UNKNOWN;
	seen->m = m;
	return LOCK_NONE;
}

// Status, goid and lockedm of a g.
struct g_values {
	__u64 goid;
	__u64 lockedm;
	__u32 status;
	__u32 unused;
};

// Reads them in one piece. Its length and the places in it must be constants: before Linux 5.12 no
// program reads its stack at another place.
static __always_inline bool g_read_piece(const volatile struct go_runtime *rt, struct g_values *values, __u64 g)
{
	__u8 piece[G_PIECE_MAX] __attribute__((aligned(8)));

	if (bpf_probe_read_user(piece, rt->g_piece_size, (void *)(g + rt->g_piece)))
		return false;
	values->lockedm = *(__u64 *)(piece + rt->in_g_lockedm);
	values->goid = *(__u64 *)(piece + rt->in_g_goid);
	values->status = *(__u32 *)(piece + rt->in_g_status);
	return true;
}

// The same with many, in two pieces: goid follows status.
static __always_inline bool g_read_pieces(const volatile struct go_runtime *rt, struct g_values *values, __u64 g)
{
	__u64 status_goid[2], at = g + rt->g_piece;

	if (!user_read(&values->lockedm, at + rt->in_g_lockedm) ||
	    bpf_probe_read_user(status_goid, sizeof(status_goid), (void *)(at + rt->in_g_status)))
		return false;
	values->status = status_goid[0];
	values->goid = status_goid[1];
	return true;
}

// Reads the goroutine that seen->m may be locked to; 0 = its lockedm is not that m. This is a
// function of its own: before Linux 6.13 a program and its callees have 512 bytes of stack
// together.
static __noinline int g_read(const volatile struct go_runtime *rt, struct lock_seen *seen, __u64 g)
{
	struct g_values values;
	__u32 status;
	__u64 m = 1;

	if (!(many ? g_read_pieces(rt, &values, g) : g_read_piece(rt, &values, g)) || values.lockedm != seen->m)
		return 0;
	seen->lockedg = g;
	seen->goid = values.goid;
	// The status is "waiting" too while the runtime works for the goroutine on the system
	// stack, but then it keeps its m (runtime.dropg).
	status = values.status & ~G_SCAN;
	seen->parked = status != G_RUNNING && status != G_SYSCALL && user_read(&m, g + rt->off_g_m) && !m;
	return 1;
}

// Reports whether the goroutine of a locked m that names none has exited: if the m has also handed
// off its P and runs nothing, or has blocked its signals (runtime.mexit). Otherwise it may be
// inside LockOSThread, which counts before it names, or at the end of a coroutine
// (runtime.coroswitch_m).
static __always_inline bool m_is_orphan(const struct target *t, __u64 m, bool masked)
{
	const volatile struct go_runtime *rt = runtime_of(t);
	__u64 p = 1, curg = 1;

	if (!rt->offsets_proved && !t->lock_proved)
		return false;
	return masked || (user_read(&p, m + rt->off_m_p) && user_read(&curg, m + rt->off_m_curg) && !p && !curg);
}

static __always_inline bool counts_read(const volatile struct go_runtime *rt, struct lock_seen *seen)
{
	__u32 counts[2]; // lockedExt, lockedInt

	if (bpf_probe_read_user(counts, sizeof(counts), (void *)(seen->m + rt->off_m_lockedext)))
		return false;
	seen->ext = counts[0];
	seen->internal = counts[1];
	return true;
}

// The lock of an m that names no goroutine. The counts are on a cache line that nothing else
// touches, so reading them is slow. They matter only where a goroutine may have exited: on a thread
// that was locked, that is about to end, or that can't end (m0).
static __always_inline __u32 lock_read_none(const struct target *t, struct lock_seen *seen,
					    const struct thread_state *state)
{
	const volatile struct go_runtime *rt = runtime_of(t);

	if (rt->offsets_proved && state->lock < LOCK_USER && !state->masked && !state->is_m0)
		return LOCK_NONE;
	if (!counts_read(rt, seen))
		return LOCK_UNKNOWN;
	if (!seen->ext && !seen->internal)
		return LOCK_NONE;
	return seen->ext && m_is_orphan(t, seen->m, state->masked) ? LOCK_ORPHAN : LOCK_UNKNOWN;
}

// Reads the lock of seen->m. Unless the thread is about to end, its goroutine is most likely the
// one of last time. If that goroutine's lockedm is still the m, then m.lockedg is unchanged too,
// and only counts older than DEPTH_AGE_NS are read again.
static __always_inline __u32 lock_read(struct target *t, struct lock_seen *seen, struct thread_state *state,
				       __u64 now)
{
	const volatile struct go_runtime *rt = runtime_of(t);
	__u64 lockedg = state->lockedg;

	if (!lockedg || state->masked || !g_read(rt, seen, lockedg)) {
		if (!user_read(&lockedg, seen->m + rt->off_m_lockedg))
			return LOCK_UNKNOWN;
		if (!lockedg)
			return lock_read_none(t, seen, state);
		if (!g_read(rt, seen, lockedg))
			return LOCK_UNKNOWN;
	}
	if (state->lock == LOCK_USER && seen->goid == state->goid && now - state->depth_time < DEPTH_AGE_NS) {
		seen->ext = state->ext;
		seen->internal = state->internal;
		return LOCK_USER;
	}
	if (!counts_read(rt, seen))
		return LOCK_UNKNOWN;
	state->depth_time = now;
	if (seen->ext) {
		if (!rt->offsets_proved)
			t->lock_proved = 1;
		return LOCK_USER;
	}
	if (seen->internal)
		return LOCK_RUNTIME;
	seen->lockedg = seen->goid = seen->parked = 0; // UnlockOSThread counts before it clears the goroutine
	return rt->offsets_proved ? LOCK_NONE : LOCK_UNKNOWN;
}

// Reports whether the thread has its M for life. Only an M that is lent to a thread of C code
// changes threads. The runtime holds it locked while it is lent (runtime/proc.go, oneNewExtraM).
static __always_inline bool m_is_for_life(const volatile struct go_runtime *rt, const struct lock_seen *seen)
{
	return !rt->cgo || (seen->kind >= LOCK_NONE && !seen->internal);
}

// Finds whether the M is lent to a thread of C code. Releases without m.isextra lock it for good to
// a goroutine that has no first function.
static __always_inline bool m_is_extra(const volatile struct go_runtime *rt, const struct lock_seen *seen,
				       bool *extra)
{
	__u64 start = 1;
	__u8 flag = 0;

	if (rt->off_m_isextra) {
		if (bpf_probe_read_user(&flag, sizeof(flag), (void *)(seen->m + rt->off_m_isextra)))
			return false;
		*extra = flag;
		return true;
	}
	*extra = false;
	if (seen->kind == LOCK_UNKNOWN)
		return false;
	if (!seen->internal)
		return true;
	if (!seen->lockedg || !user_read(&start, seen->lockedg + rt->off_g_startpc))
		return false;
	*extra = !start;
	return true;
}

#endif
