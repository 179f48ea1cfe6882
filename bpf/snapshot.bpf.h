// SPDX-License-Identifier: MIT OR GPL-2.0-only
// snapshot.bpf.h: iterators that answer user space's questions: the process of a PID, and the
// threads that live now. They write to the seq file, so no answer is lost.
#ifndef PINWATCH_SNAPSHOT_BPF_H
#define PINWATCH_SNAPSHOT_BPF_H

// Finds the process that has the wanted PID in the PID namespace of the reader.
SEC("iter/task")
int pw_resolve(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task, *reader = (void *)bpf_get_current_task();
	struct resolved r = {};

	if (!task || task->pid != task->tgid)
		return 0;
	r.level = BPF_CORE_READ(reader, thread_pid, level);
	if (tid_at_level(task, r.level) != wanted)
		return 0;
	r.tgid = task->tgid;
	r.task_flags = task->flags;
	r.threads = BPF_CORE_READ(task, signal, nr_threads);
	r.clock_ahead = task_clock_ahead(reader);
	bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
	return 0;
}

// Reports whether a thread is the last of its process. An iterator over one process ends early when
// the thread that it is at has left the list (kernel/bpf/task_iter.c, task_group_seq_get_next).
// Then the last answer is not of a last thread.
static __always_inline bool is_last(const struct task_struct *task)
{
	// Read as untyped memory: for each pointer that is loaded from a task, the verifier searches all
	// types of the kernel by name (kernel/bpf/verifier.c, type_is_trusted).
	struct signal_struct *signal = BPF_CORE_READ(task, signal);

	return (void *)BPF_CORE_READ(task, thread_node.next) ==
	       (void *)signal + bpf_core_field_offset(signal->thread_head);
}

// The target of a thread that an iterator came to, if user space asks about it.
static __always_inline struct target *wanted_target(const struct task_struct *task)
{
	return many && task->tgid != wanted ? NULL : target_of(task->tgid);
}

// Makes the state of every living thread, so that no hook has to. The answer for each is is_last.
SEC("iter/task")
int pw_prepare(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct thread_state *state;
	struct target *t;
	__u8 last;

	if (!task)
		return 0;
	t = wanted_target(task);
	if (!t)
		return 0;
	state = thread_get(t, task);
	if (many && state && state->slot != t->slot) { // it was another target's, which user space has dropped
		thread_forget(state->tid);
		state = NULL;
	}
	if (!state)
		state = thread_begin(t, task);
	if (state && task->flags & PF_EXITING)
		state->leaving = LEAVING_SEEN; // it was made before that
	if (task->flags & PF_EXITING && task->pid == task->tgid)
		t->old_leader = (__u64)task;
	last = is_last(task);
	bpf_seq_write(ctx->meta->seq, &last, sizeof(last));
	return 0;
}

static __always_inline __u8 snapshot_flags(const struct target *t, const struct task_struct *task,
					    const struct thread_state *state)
{
	__u8 flags = 0;

	if (task_on_cpu(task))
		flags |= THREAD_ON_CPU;
	else if (task->exit_state)
		flags |= THREAD_EXITED;
	else if (task_is_runnable(task))
		flags |= THREAD_RUNNABLE;
	if (state && state->off_runnable)
		flags |= THREAD_OFF_RUNNABLE;
	if (state && state->fresh)
		flags |= THREAD_NEW;
	if (!state && t->untracked)
		flags |= THREAD_UNTRACKED;
	if (task_is_io_worker(task))
		flags |= THREAD_IO_WORKER;
	return flags;
}

// Aggregating: reads the sums of a thread that has not left its CPU since the last boundary; one
// that has emits them itself. false: it has left its CPU meanwhile, and the values read are
// inconsistent.
static __always_inline bool snapshot_sums(struct snapshot *s, const struct thread_state *state)
{
	s->sum_lock.h = s->sum.h = s->thread.h;
	read_barrier(); // off_time, which ends a turn's writes, was read before
	sum_fill_lock(&s->sum_lock, state);
	sum_fill(&s->sum, state);
	s->sum_lock.h.kind = s->sum.h.kind = KIND_NONE;
	read_barrier(); // sum.until, which begins a turn's writes, is read again
	if (*(volatile __u64 *)&state->off_time != s->thread.off_time ||
	    *(volatile __u64 *)&state->sum.until > s->thread.off_time)
		return false;
	// Otherwise its last turn was sent.
	if (s->sum.until == s->thread.off_time && s->sum.until < boundary && s->sum.switches) {
		s->sum_lock.h.kind = KIND_SUM_LOCK;
		s->sum.h.kind = KIND_SUM;
	}
	return true;
}

static __always_inline void snapshot_thread(struct event_thread *e, const struct target *t, struct task_struct *task,
					    const struct thread_state *state)
{
	struct cpu_slot *slot;

	e->h.tid = thread_tid(t, task);
	e->h.cpu = task_cpu(task);
	e->h.kind = KIND_THREAD;
	e->h.flags = snapshot_flags(t, task, state);
	e->ns_tid = thread_ns_tid(task);
	e->last_cpu = -1;
	if (state) {
		e->off_time = state->off_time;
		e->last_cpu = state->last_cpu - 1;
		e->why = state->why;
		e->m = state->m;
	}
	e->g_base = thread_g_base(task, runtime_of(t)->g_in_register);
	e->innermost_tid = thread_innermost_tid(task);
	e->last = is_last(task);
	slot = cpu_slot(e->h.cpu);
	if (slot_holds(slot, task))
		e->run_time = slot->run_start;
	if (state)
		e->wake_time = turn_wake(state, e->run_time ? e->run_time : e->h.time);
	bpf_probe_read_kernel(e->comm, sizeof(e->comm), task->comm);
}

// Lists the CPUs on which the process may not run now. The walk over lists of CPUs, of all cgroups
// from the process's own to the root, has an end that the verifier knows: what lies beyond is left
// out. A list may change meanwhile. What was read of it is still of cgroups' CPUs, and may be a
// moment old.
#define THROTTLED_STEPS 512
SEC("iter/task")
int pw_throttled(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct list_head *at = NULL, *end = NULL;
	struct throttled answer = {};
	struct task_group *group;
	struct cfs_rq *queue;

	if (!task || task->tgid != (many ? wanted : target_tgid) || task->pid != task->tgid)
		return 0;
	if (!has_quotas())
		goto last;
	group = BPF_CORE_READ(task, sched_task_group);
	for (int i = 0; i < THROTTLED_STEPS && group; i++) {
		if (at == end) { // a cgroup's list begins
			if (at)
				group = BPF_CORE_READ(group, parent);
			at = end = NULL;
			if (!group)
				break;
			end = (void *)group + bpf_core_field_offset(group->cfs_bandwidth.throttled_cfs_rq);
			at = BPF_CORE_READ(end, next);
			continue;
		}
		queue = (void *)at - bpf_core_field_offset(((struct cfs_rq *)0)->throttled_list);
		answer.time = bpf_ktime_get_ns();
		answer.until = BPF_CORE_READ(group, cfs_bandwidth.period_timer._softexpires);
		answer.cpu = BPF_CORE_READ(queue, rq, cpu);
		bpf_seq_write(ctx->meta->seq, &answer, sizeof(answer));
		at = BPF_CORE_READ(at, next);
	}
last:
	answer.time = bpf_ktime_get_ns();
	answer.cpu = NOT_THROTTLED;
	bpf_seq_write(ctx->meta->seq, &answer, sizeof(answer));
	return 0;
}

// A thread may move while it is read, and its own records show that. User space joins both by time.
SEC("iter/task")
int pw_snapshot(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct thread_state *state;
	struct snapshot s = {};
	struct target *t;

	if (!task)
		return 0;
	t = wanted_target(task);
	if (!t)
		return 0;
	state = thread_get(t, task);
	for (int i = 0; i < 4; i++) {
		s.thread.h.time = bpf_ktime_get_ns();
		snapshot_thread(&s.thread, t, task, state);
		if (!aggregate || !state || snapshot_sums(&s, state))
			break;
	}
	bpf_seq_write(ctx->meta->seq, &s, sizeof(s));
	return 0;
}

#endif
