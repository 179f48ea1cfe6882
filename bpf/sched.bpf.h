// SPDX-License-Identifier: MIT OR GPL-2.0-only
// sched.bpf.h: what the scheduler does with the target's threads. A thread's turn is sent as one record when it leaves its
// CPU; the other programs only note what that record will say.
#ifndef PINWATCH_SCHED_BPF_H
#define PINWATCH_SCHED_BPF_H

// Splits the turn that ends now: away since state->off_time, back since slot->since.
static __always_inline __u8 turn_split(struct event_switch *e, const struct task_struct *prev, const struct thread_state *state,
				       const struct cpu_slot *slot, __u64 now)
{
	__u64 in = slot->since, out = state->off_time, wake = state->wake_time;
	__u8 known = SWITCH_RUN;

	e->run_ns = e->runq_ns = e->blocked_ns = 0;
	if (!slot_holds(slot, prev)) { // ran before the programs were there, or its switch-in was not traced
		if (out && wake > out)
			e->blocked_ns = wake - out;
		return out ? SWITCH_OFF : 0;
	}
	e->run_ns = now - in;
	if (wake > out && wake <= in && !state->off_runnable)
		known |= SWITCH_WAKE;
	else
		wake = out; // preempted, or woken before it had left: it waited all the time
	if (out) {
		known |= SWITCH_OFF;
		e->blocked_ns = wake - out;
	}
	if (wake)
		e->runq_ns = in - wake;
	return known;
}

// A locked goroutine that was preempted waits in the scheduler for its own thread, if the stack says so (runtime.stoplockedm).
static __always_inline void turn_park(void *ctx, struct thread_state *state, __u32 tid)
{
	state->injected = 0;
	emit_stacked(ctx, KIND_PARK, tid);
}

static __always_inline void turn_end(void *ctx, struct task_struct *prev, struct cpu_slot *slot, __u64 now, bool runnable, bool dead)
{
	struct thread_state *state = thread_get(prev, false);
	struct lock_seen lock = {};
	struct event_switch *e;

	if (!state) {
		__sync_fetch_and_add(&lost[KIND_SWITCH], 1);
		return;
	}
	if (!dead)
		lock_look(state, prev->pid, now, &lock);
	if (state->injected && !runnable)
		turn_park(ctx, state, prev->pid);
	e = emit_reserve(sizeof(*e), KIND_SWITCH, prev->pid, now);
	if (e) {
		e->h.flags = turn_split(e, prev, state, slot, now) | (state->fresh ? SWITCH_FIRST : 0) |
			     (runnable ? SWITCH_PREEMPTED : 0) | (dead ? SWITCH_DEAD : 0) |
			     (lock.parked ? SWITCH_PARKED : 0);
		e->waker = state->waker;
		e->last_cpu = state->last_cpu - 1;
		e->why = state->why;
		e->lock = dead ? state->lock : lock.kind;
		emit_submit(e);
	}
	if (dead) {
		thread_forget(prev->pid);
		return;
	}
	state->off_time = now;
	state->waker = runnable ? 0 : state->early_waker;
	state->early_waker = 0;
	state->last_cpu = bpf_get_smp_processor_id() + 1;
	state->why = WHY_UNKNOWN;
	state->off_runnable = runnable;
	state->fresh = 0;
}

SEC("tp_btf/sched_switch")
int pw_switch(__u64 *ctx)
{
	struct task_struct *prev = (void *)ctx[1], *next = (void *)ctx[2];
	bool out = prev->tgid == target_tgid, in = next->tgid == target_tgid;
	struct cpu_slot *slot;
	__u64 now;

	if ((!out && !in) || target_gone)
		return 0;
	now = bpf_ktime_get_ns();
	slot = cpu_slot(bpf_get_smp_processor_id());
	if (out) {
		__u32 state = switch_prev_state(ctx, prev);

		turn_end(ctx, prev, slot, now, ctx[0] || !state, state & TASK_DEAD);
	}
	slot->since = now;
	slot->task = in ? (__u64)next : 0;
	return 0;
}

// A waking that comes while the thread is still on its CPU does not begin its wait: the switch-out will.
SEC("tp_btf/sched_waking")
int pw_waking(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct thread_state *state;

	if (!is_target(task))
		return 0;
	state = thread_get(task, false);
	if (!state)
		return 0;
	if (slot_holds(cpu_slot(task_cpu(task)), task)) {
		state->early_waker = current_target_tid();
		return 0;
	}
	state->wake_time = bpf_ktime_get_ns();
	state->waker = current_target_tid();
	return 0;
}

SEC("tp_btf/sched_wakeup_new")
int pw_wakeup_new(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct thread_state *state;

	if (!is_target(task))
		return 0;
	state = thread_get(task, false);
	if (!state)
		return 0;
	state->wake_time = bpf_ktime_get_ns();
	state->waker = current_target_tid();
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
	struct thread_state *state;

	if (!is_target(task))
		return 0;
	state = thread_get(task, false);
	if (!state)
		return 0;
	if (!cpu_allowed(task, task_cpu(task)))
		state->why = WHY_AFFINITY;
	else
		state->why = task_state(task) == TASK_WAKING ? WHY_WAKEUP : WHY_BALANCE;
	return 0;
}

#endif
