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

#endif
