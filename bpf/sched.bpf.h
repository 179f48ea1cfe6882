// SPDX-License-Identifier: MIT OR GPL-2.0-only
// sched.bpf.h: the scheduler's work on the target's threads. One record holds a thread's turn and
// is sent at its switch-out. The other programs only note values for it.
#ifndef PINWATCH_SCHED_BPF_H
#define PINWATCH_SCHED_BPF_H

// Steps of the program at a switch-out of the target. BenchmarkSteps of loader compiles programs
// that end after one of them, so that the time of each step can be measured.
enum switch_step {
	STEP_FILTER, // both processes were compared with the target
	STEP_SLOT,   // the CPU's slot was written
	STEP_CLOCK,  // the clock was read
	STEP_THREAD, // the thread's state was found and written
	STEP_LOCK,   // its lock was checked
	STEP_SPLIT,  // the turn was split
	STEP_SEND,   // all is done
};
#ifndef LAST_STEP
#define LAST_STEP STEP_SEND
#endif

// The wake-up of the absence that ended at a moment; 0 = it was preempted, or woken before its
// switch-out.
static __always_inline __u64 turn_wake(const struct thread_state *state, __u64 in)
{
	__u64 out = state->off_time;

	if (state->off_runnable)
		return 0;
	if (state->wake_time > out && state->wake_time <= in)
		return state->wake_time;
	return state->early && state->early_time > out && state->early_time <= in ? state->early_time : 0;
}

// The thread that woke it at that wake-up, or before its switch-out.
static __always_inline __u32 turn_waker(const struct thread_state *state, __u64 wake)
{
	if (!wake)
		return state->woken_by;
	return wake == state->wake_time ? state->waker : state->early_waker;
}

// The thread that woke it during the run that began at in and ends now.
static __always_inline __u32 turn_early_waker(const struct thread_state *state, __u64 in)
{
	if (state->early && state->early_time > in)
		return state->early_waker;
	return state->wake_time > in ? state->waker : 0;
}

// Splits the turn that ends now: off the CPU since state->off_time, running since slot->run_start.
static __always_inline __u8 turn_split(struct event_switch *e, const struct thread_state *state,
				       const struct cpu_slot *slot, bool seen, __u64 now)
{
	__u64 in = slot->run_start, out = state->off_time, wake = turn_wake(state, seen ? in : now);
	__u8 known = SWITCH_RUN;

	e->waker = turn_waker(state, wake);
	if (!seen) { // it ran before the programs were attached, or its switch-in was not traced
		e->blocked_ns = out && wake ? wake - out : 0;
		e->run_ns = e->runq_ns = 0;
		return out ? SWITCH_OFF : 0;
	}
	if (wake)
		known |= SWITCH_WAKE;
	else
		wake = out; // preempted, or woken before its switch-out: it waited all the time
	if (out)
		known |= SWITCH_OFF;
	e->run_ns = now - in;
	e->runq_ns = wake ? in - wake : 0;
	e->blocked_ns = out ? wake - out : 0;
	return known;
}

// Sends a turn through the CPU's ring or, in the rare case that it does not fit or the CPU has
// none, through the one that it shares.
static __always_inline void turn_send(struct target *t, const struct event_switch *e, struct cpu_slot *slot,
				      bool lifecycle)
{
	struct turn *turn;
	__u32 place;
	void *ring;

	if (rate_limit && !lifecycle && !rate_allows(t, slot, e->h.cpu, e->h.time)) {
		turn_lost(t, slot, e->h.cpu);
		return;
	}
	if ((e->run_ns | e->runq_ns | e->blocked_ns) >> 32 || e->h.cpu >= ring_cpus) {
		place = ring_of_cpu(e->h.cpu);
		ring = bpf_map_lookup_elem(&rings, &place);
		if (!ring || (many && !ring_has_room(t, ring, place, RING_PARTS, sizeof(*e))) ||
		    bpf_ringbuf_output(ring, (void *)e, sizeof(*e), BPF_RB_NO_WAKEUP))
			turn_lost(t, slot, e->h.cpu);
		return;
	}
	turn = turn_reserve(t, slot, e->h.cpu, lifecycle);
	if (!turn)
		return;
	turn->time = e->h.time;
	turn->tid = e->h.tid;
	turn->waker = e->waker;
	turn->run_ns = e->run_ns;
	turn->runq_ns = e->runq_ns;
	turn->blocked_ns = e->blocked_ns;
	turn->last_cpu = e->last_cpu;
	turn->flags = e->h.flags;
	turn->why_lock = e->why | e->lock << TURN_LOCK_SHIFT;
	turn_submit(slot);
}

// Emits the stack of a preempted locked goroutine at its thread's voluntary switch-out. The stack
// shows whether it waits in the scheduler for its own thread (runtime.stoplockedm).
__noinline int turn_park(__u32 tid)
{
	struct thread_state *state = thread_find(tid);
	struct target *t;

	if (!state)
		return 0;
	state->injected = 0;
	state->resuming = 2;
	t = target_at(state->slot);
	if (t)
		emit_stacked(t, KIND_PARK, tid);
	return 0;
}

// Whether the thread left the CPU in that way.
static __always_inline bool left(const struct cpu_slot *slot, __u32 flag)
{
	return *(const volatile __u32 *)&slot->left & flag;
}

static __always_inline void turn_end(struct target *t, struct task_struct *prev, struct task_struct *next,
				     struct cpu_slot *slot, __u32 cpu, __u64 now)
{
	__u32 tid = thread_tid(t, prev);
	struct thread_state *state = thread_find(tid);
	struct lock_seen *lock = &slot->lock;
	struct event_switch *e = &slot->turn;

	if (unlikely(left(slot, SWITCH_DEAD)) && (__u64)prev == t->gone_leader)
		return;
	if (many && unlikely(t->preparing) && (!state || state->slot != t->slot))
		return;
	if (unlikely(!state)) {
		if (t->gone || (prev->exit_state && !t->untracked)) // it had left the kernel's lists before the attach
			return;
		// There was no room, or its birth was not seen: Linux 7 skips some runs of programs.
		state = prev->exit_state ? NULL : thread_make_of(t, prev);
		if (!state) {
			turn_untracked(t, slot, cpu);
			return;
		}
	}
	if (many && unlikely(state->slot != t->slot)) { // of the program before, which the process has replaced
		t = target_at(state->slot);
		if (!t)
			return;
	}
	if (LAST_STEP == STEP_THREAD) {
		publish(&state->off_time, now);
		return;
	}
	__builtin_memset(lock, 0, sizeof(*lock));
	if (left(slot, SWITCH_DEAD)) {
		lock->kind = state->lock;
		thread_ended_late(t, state, tid, now);
	} else {
		lock_check_switch(t, state, prev, slot, cpu, now, left(slot, SWITCH_PREEMPTED));
	}
	if (LAST_STEP == STEP_LOCK) {
		publish(&state->off_time, now);
		return;
	}
	if (unlikely(state->injected) && !left(slot, SWITCH_PREEMPTED))
		turn_park(tid);
	e->h.time = now;
	e->h.tid = tid;
	e->h.cpu = cpu;
	e->h.kind = KIND_SWITCH;
	e->h.flags = turn_split(e, state, slot, slot_holds(slot, prev), now) | (state->fresh ? SWITCH_FIRST : 0) |
		     (slot->left & (SWITCH_PREEMPTED | SWITCH_DEAD)) | (lock->parked ? SWITCH_PARKED : 0);
	e->last_cpu = state->last_cpu - 1;
	e->why = state->why;
	e->lock = lock->kind;
	barrier(); // later reads of *e are from memory
	if (LAST_STEP > STEP_SPLIT && (!aggregate || !turn_aggregate(state, e)))
		turn_send(t, e, slot, state->fresh || left(slot, SWITCH_DEAD));
	if (unlikely(e->runq_ns >= slot->delay_ns) && state->lock == LOCK_USER)
		delay_send(tid, cpu);
	if (left(slot, SWITCH_PREEMPTED))
		switched_task_note(&state->taker, next);
	if (aggregate && slot->handoff >= slot->run_start && slot->handoff && !left(slot, SWITCH_PREEMPTED))
		handoff_end(slot, cpu, tid, now);
	if (left(slot, SWITCH_DEAD)) {
		thread_forget(tid);
		return;
	}
	if (aggregate) {
		state->parked = lock->parked && !left(slot, SWITCH_PREEMPTED);
		state->resuming >>= 1; // parked for a preemption: until the turn after this one
	}
	state->woken_by = left(slot, SWITCH_PREEMPTED) ? 0 : turn_early_waker(state, slot->run_start);
	publish(&state->off_time, now);
	state->last_cpu = cpu + 1;
	state->why = WHY_UNKNOWN;
	state->off_runnable = left(slot, SWITCH_PREEMPTED);
	state->fresh = 0;
	state->early = 0;
}

SEC("tp_btf/sched_switch")
int pw_switch(__u64 *ctx)
{
	struct task_struct *prev = (void *)ctx[1], *next = (void *)ctx[2];
	struct target *out;
	struct cpu_slot *slot;
	__u64 now;
	__u32 cpu;
	bool in;

	if (!switch_targets(prev->tgid, next->tgid, &out, &in))
		return 0;
	if (LAST_STEP == STEP_FILTER)
		return !!out + in; // of no meaning, but the compiler keeps the comparison
	cpu = bpf_get_smp_processor_id();
	slot = cpu_slot(cpu);
	if (!slot)
		return 0;
	now = LAST_STEP < STEP_CLOCK ? 0 : bpf_ktime_get_ns();
	OVERHEAD_RUN_IF(OVERHEAD_SWITCH, (out ? OVERHEAD_OUT : 0) | (in ? OVERHEAD_IN : 0),
			LAST_STEP >= STEP_CLOCK && OVERHEAD_CHANCE(now));
	if (out && LAST_STEP > STEP_CLOCK) {
		__u32 state = switch_prev_state(ctx, prev);

		slot->left = (ctx[0] || !state ? SWITCH_PREEMPTED : 0) | (state & TASK_DEAD ? SWITCH_DEAD : 0);
		turn_end(out, prev, next, slot, cpu, now);
	}
	slot->run_start = now;
	slot->woke_locked = 0;
	slot->task = in ? (__u64)next : 0;
	switched_task_note(&slot->before, prev);
	return 0;
}

// The thread of the target that wakes a thread. If a signal wakes one that may be locked, it is that
// thread itself: nothing is handed to it. The kernel notes a signal before it wakes the thread
// (kernel/signal.c, __send_signal_locked), and no thread sleeps interruptibly while one is pending
// that it does not block (kernel/sched/core.c, __schedule). Signals for the process as a whole are
// noted elsewhere: a wake-up by one of them counts as its sender's.
static __always_inline __u32 waker_of(const struct thread_state *state, const struct task_struct *task)
{
	__u64 id = bpf_get_current_pid_tgid();

	if (state->lock != LOCK_NONE && task->pending.signal.sig[0] & ~task->blocked.sig[0])
		return state->tid;
	return id >> 32 == task->tgid ? (__u32)id : 0;
}

// Notes a wake-up. If the thread was woken since its switch-out already, it is back on a CPU or
// soon will be: this wake-up is for the absence after that. The state is read before the clock, so
// that a switch-out in between does not make the wake-up older than it is.
static __always_inline void thread_woken(struct task_struct *task, enum overhead_run run)
{
	struct target *t = target_of(task->tgid);
	struct thread_state *state;
	__u32 waker;
	bool early;
	__u64 now;

	if (!t)
		return;
	state = thread_get(t, task);
	if (!state && run == OVERHEAD_WAKEUP_NEW)
		state = thread_born_late(t, task);
	if (!state)
		return;
	early = state->wake_time > state->off_time;
	barrier();
	now = bpf_ktime_get_ns();
	OVERHEAD_RUN(run);
	waker = waker_of(state, task);
	if (early) {
		state->early_time = now;
		state->early_waker = waker;
		state->early = 1;
	} else {
		state->wake_time = now;
		state->waker = waker;
	}
	if (lock_is_held(state->lock))
		locked_woken(state, task, waker, now);
}

SEC("tp_btf/sched_waking")
int pw_waking(__u64 *ctx)
{
	thread_woken((void *)ctx[0], OVERHEAD_WAKING);
	return 0;
}

SEC("tp_btf/sched_wakeup_new")
int pw_wakeup_new(__u64 *ctx)
{
	thread_woken((void *)ctx[0], OVERHEAD_WAKEUP_NEW);
	return 0;
}

static __always_inline bool cpu_allowed(const struct task_struct *task, __u32 cpu)
{
	__u64 bits = (__u64)BPF_CORE_READ(task, cpus_ptr), word = 0;

	bpf_probe_read_kernel(&word, sizeof(word), (void *)(bits + cpu / 64 * 8));
	return word >> (cpu % 64) & 1;
}

SEC("tp_btf/sched_migrate_task")
int pw_migrate(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct target *t = target_of(task->tgid);
	struct thread_state *state;

	if (!t)
		return 0;
	OVERHEAD_RUN(OVERHEAD_MIGRATE);
	state = thread_get(t, task);
	if (!state)
		return 0;
	if (!cpu_allowed(task, task_cpu(task)))
		state->why = WHY_AFFINITY;
	else
		state->why = task_state(task) == TASK_WAKING ? WHY_WAKEUP : WHY_BALANCE;
	return 0;
}

#endif
