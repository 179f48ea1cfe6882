// SPDX-License-Identifier: MIT OR GPL-2.0-only
// lifecycle.bpf.h: threads begin and end. Hooks: clone and clone3, task_newtask, the system calls
// at the end of a Go thread's start-up and at the beginning of its end, exit, and the kernel's end
// of a thread.
#ifndef PINWATCH_LIFECYCLE_BPF_H
#define PINWATCH_LIFECYCLE_BPF_H

// Notes that a call begins. now = 0: the exit of this call is not traced.
static __always_inline void call_begin(__u32 tid, __u64 now)
{
	struct thread_state *self = thread_find(tid);

	if (!self)
		return;
	self->call_time = now;
	self->calling = !!now;
}

static __always_inline void call_end(enum event_kind kind, __s64 ret)
{
	__u64 now = bpf_ktime_get_ns(), enter;
	struct thread_state *self;
	struct event_return *e;
	struct target *t;
	__u32 tid;

	t = current_target(&tid);
	if (!t)
		return;
	OVERHEAD_RUN(kind == KIND_CLONE_EXIT ? OVERHEAD_CLONE_RETURN : OVERHEAD_TGKILL_RETURN);
	self = thread_find(tid);
	if (!self || !self->call_time)
		return;
	enter = self->call_time;
	self->call_time = 0;
	self->calling = 0;
	e = emit_reserve(t, sizeof(*e), kind, tid, now);
	if (!e)
		return;
	e->ret = ret;
	e->enter = enter;
	emit_submit(e);
}

// Emits the caller of a clone and its stack. Returns the time after that; 0 = there was no room.
static __always_inline __u64 clone_emit(struct target *t, __u32 tid, __u64 clone_flags, __u8 clone3)
{
	const volatile struct go_runtime *rt = runtime_of(t);
	__u8 lock = rt->known ? lock_check_self(tid, bpf_ktime_get_ns()) : LOCK_UNREAD;
	struct stack_place *place = stack_take(tid, clone3 || rt->cgo, rt); // Go itself never calls clone3
	struct event_clone_enter *e;
	__u64 now;

	e = emit_reserve(t, sizeof(*e), KIND_CLONE_ENTER, tid, 0);
	if (!e) {
		stack_free(place);
		return 0;
	}
	e->h.flags = clone3;
	e->clone_flags = clone_flags;
	e->lock = lock;
	stack_move(&e->stack, place, tid);
	now = bpf_ktime_get_ns();
	e->h.time = now;
	emit_submit(e);
	return now;
}

// Begins a clone. Its time is taken after all work here, so that the call does not include it.
static __always_inline void clone_begin(__u64 clone_flags, __u8 clone3)
{
	struct target *t;
	__u64 now;
	__u32 tid;

	t = current_target(&tid);
	if (!t)
		return;
	OVERHEAD_RUN(OVERHEAD_CLONE);
	if (!(clone_flags & CLONE_THREAD)) {
		call_begin(tid, 0);
		return;
	}
	now = clone_emit(t, tid, clone_flags, clone3);
	call_begin(tid, now ? now : bpf_ktime_get_ns());
}

static __always_inline void clone_enter(void *ctx, __u64 clone_flags, __u64 b, __u64 c)
{
	clone_begin(clone_flags, 0);
}

static __always_inline void clone3_enter(void *ctx, __u64 args, __u64 b, __u64 c)
{
	__u64 clone_flags = 0; // the first member of struct clone_args
	__u32 tid;

	if (current_target(&tid) && !bpf_probe_read_user(&clone_flags, sizeof(clone_flags), (void *)args))
		clone_begin(clone_flags, 1);
}

// A return value of 0 is the child's.
static __always_inline void clone_exit(__s64 ret)
{
	if (ret)
		call_end(KIND_CLONE_EXIT, ret);
}

SYSCALL_ENTER(clone, clone_enter)
SYSCALL_EXIT(clone, clone_exit)
SYSCALL_ENTER(clone3, clone3_enter)
SYSCALL_EXIT(clone3, clone_exit)

// Makes the state of a thread that its parent, the calling thread, has just made, and emits its
// birth.
static __noinline int thread_born(struct task_struct *child, __u64 clone_flags)
{
	__u32 parent = (__u32)bpf_get_current_pid_tgid();
	struct thread_state *state, *self;
	__u64 now, enter = 0;
	struct event_newtask *e;
	struct target *t;
	bool io_worker;

	t = target_of(child->tgid);
	if (!t)
		return 0;
	io_worker = task_is_io_worker(child); // its parent is in no clone
	if (light && !io_worker) // the parent is in its clone
		enter = clone_emit(t, parent, clone_flags, 0);
	now = bpf_ktime_get_ns();
	thread_forget(child->pid); // of a thread whose end was not seen
	state = thread_begin(t, child);
	self = io_worker ? NULL : thread_find(parent);
	if (state) {
		state->off_time = now;
		state->fresh = 1;
		// The runtime blocks its signals around the clone (newosproc). C code's threads
		// never get ready.
		state->starting = self && self->masked;
	}
	e = emit_reserve(t, sizeof(*e), KIND_NEWTASK, child->pid, now);
	if (!e)
		return 0;
	e->h.flags = (state ? 0 : THREAD_UNTRACKED) | (io_worker ? THREAD_IO_WORKER : 0);
	e->parent = parent;
	e->ns_tid = thread_ns_tid(child);
	e->clone_flags = clone_flags;
	if (!light && self)
		enter = self->call_time;
	e->enter = enter;
	emit_submit(e);
	return 0;
}

SEC("tp_btf/task_newtask")
int pw_newtask(__u64 *ctx)
{
	struct task_struct *child = (void *)ctx[0];
	struct target *t;

	if (many && !(ctx[1] & CLONE_THREAD))
		process_born(child->tgid);
	t = target_of(child->tgid);
	if (!t)
		return 0;
	OVERHEAD_RUN(OVERHEAD_NEWTASK);
	if (ctx[1] & CLONE_THREAD)
		thread_born(child, ctx[1]);
	else
		t->gone = 1; // a new process got the target's old PID
	return 0;
}

// The kernel skips a program on a CPU where a thread was preempted inside that program
// (kernel/trace/bpf_trace.c, __bpf_trace_run; kernel/bpf/trampoline.c, __bpf_prog_enter_recur).
// Where the kernel is preemptible, that can be task_newtask's. sched_wakeup_new comes right after
// it, in the parent, with interrupts off, and so is never skipped. A thread that has no state then
// was not seen; or it had no room, which it may have now: once a thread had none, it is not known
// which.
static __always_inline struct thread_state *thread_born_late(const struct target *t, struct task_struct *child)
{
	if (t->untracked || child->pid == child->tgid || !thread_make(t, child->pid))
		return NULL;
	thread_born(child, CLONE_THREAD);
	return thread_get(t, child);
}

// Checks the lock at rt_sigprocmask. If the thread does not have its M for life, the apparent end
// of a thread was the end of a call from C (runtime.dropm). Only a thread that blocks its signals
// for good may be about to end, so only that one is checked. One that will unblock them asks for
// the old mask (newosproc). With offsets that are not proved, each thread that may have its M is
// checked (runtime.minit writes it earlier). A mask that could not be read proves nothing: a thread
// that is leaving may still be.
static __always_inline __u8 sigmask_check(struct target *t, struct thread_state *self, __u32 tid, __u64 now,
					  bool masked, bool for_good, bool unread)
{
	const volatile struct go_runtime *rt = runtime_of(t);

	if (!unread)
		self->masked = masked;
	if (!self->m || (!masked && !unread))
		self->leaving = 0;
	if (self->starting == 2)
		self->starting = 0;
	if ((masked && for_good) || (!rt->offsets_proved && (self->m || !rt->cgo)))
		return lock_check_self(tid, now);
	return LOCK_UNREAD;
}

// Reads the signal set at an address that a system call is given; most often a known one. false: it
// can't be read now, as in a page that the kernel has not brought in yet.
static __always_inline bool signal_set(const struct target *t, __u64 *set, __u64 address)
{
	const volatile struct go_runtime *rt = runtime_of(t);

	*set = 0;
	if (!t->runtime_gone)
		for (__u32 i = 0; i < MASKS; i++)
			if (rt->mask_at[i] && address == rt->mask_at[i]) {
				*set = rt->mask_set[i];
				return true;
			}
	return user_read(set, address);
}

// rt_sigprocmask(SIG_SETMASK) is the last step of a Go thread to "ready" (minit), and the first
// step to its end (mexit).
static __always_inline void sigprocmask_enter(void *ctx, __u64 how, __u64 set_address, __u64 old_address)
{
	struct thread_state *self;
	struct event_sigmask *e;
	__u8 lock = LOCK_UNREAD;
	struct target *t;
	__u64 set, now;
	bool unread;
	__u32 tid;

	t = current_target(&tid);
	if (!t || (__s32)how != SIG_SETMASK || !set_address)
		return;
	now = bpf_ktime_get_ns();
	OVERHEAD_RUN(OVERHEAD_SIGMASK);
	unread = !signal_set(t, &set, set_address);
	self = thread_find(tid);
	if (self)
		lock = sigmask_check(t, self, tid, now, set >> (SIGURG - 1) & 1, !old_address, unread);
	e = emit_reserve(t, sizeof(*e), KIND_SIGMASK, tid, now);
	if (!e)
		return;
	e->h.flags = lock;
	e->set = set;
	e->unread = unread;
	emit_submit(e);
}

SYSCALL_ENTER(rt_sigprocmask, sigprocmask_enter)

static __always_inline void sigaltstack_enter(void *ctx, __u64 stack, __u64 b, __u64 c)
{
	struct event_sigaltstack *e;
	struct thread_state *self;
	struct target *t;
	__u32 flags = 0;
	__u32 tid;

	t = current_target(&tid);
	if (!t || !stack)
		return;
	OVERHEAD_RUN(OVERHEAD_SIGALTSTACK);
	bpf_probe_read_user(&flags, sizeof(flags), (void *)(stack + 8)); // stack_t.ss_flags
	self = thread_find(tid);
	if (self && self->masked && flags & SS_DISABLE)
		self->leaving = LEAVING_MEXIT;
	if (self && self->starting && !(flags & SS_DISABLE))
		self->starting = 2;
	e = emit_reserve(t, sizeof(*e), KIND_SIGALTSTACK, tid, bpf_ktime_get_ns());
	if (!e)
		return;
	e->ss_flags = flags;
	e->unused = 0;
	emit_submit(e);
}

SYSCALL_ENTER(sigaltstack, sigaltstack_enter)

// The calling thread ends: its memory no longer shows its lock.
static __always_inline void thread_leave(__u32 tid)
{
	struct thread_state *self = thread_find(tid);

	if (self)
		self->leaving = LEAVING_SEEN;
}

static __always_inline void exit_enter(void *ctx, __u64 a, __u64 b, __u64 c)
{
	struct target *t;
	__u32 tid;

	t = current_target(&tid);
	if (!t)
		return;
	OVERHEAD_RUN(OVERHEAD_EXIT);
	thread_leave(tid);
	emit_stacked(t, KIND_EXIT_ENTER, tid);
}

SYSCALL_ENTER(exit, exit_enter)

static __always_inline void process_exit_emit(struct target *t, __u32 tid, __u64 now)
{
	emit_plain(t, KIND_PROCESS_EXIT, tid, now, current_syscall() == NR_EXIT ? EXIT_CALLED : 0);
}

// At a thread's last switch-out: emits its end if the kernel skipped the programs that do that, see
// thread_born_late. The end comes before the turn.
static __noinline int thread_ended_late(struct target *t, const struct thread_state *state, __u32 tid, __u64 now)
{
	if (state->leaving != LEAVING_SEEN)
		process_exit_emit(t, tid, now - 1);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int pw_process_exit(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct target *t = target_of(task->tgid);
	__u64 now;
	__u32 tid;

	if (!t)
		return 0;
	OVERHEAD_RUN(OVERHEAD_PROCESS_EXIT);
	tid = thread_tid(t, task);
	thread_leave(tid);
	if (tid == task->tgid)
		t->old_leader = (__u64)task;
	now = bpf_ktime_get_ns();
	parent_death_emit(t, tid, now);
	process_exit_emit(t, tid, now);
	return 0;
}

SEC("tp_btf/sched_process_free")
int pw_process_free(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct target *t = target_of(task->tgid);

	if (many)
		process_thread_freed(task, t);
	if (!t)
		return 0;
	if ((__u64)task == t->old_leader)
		t->old_leader_tid = task->pid;
	if ((__u64)task == t->gone_leader)
		t->gone_leader = 0;
	emit_plain(t, KIND_PROCESS_FREE, task->pid, bpf_ktime_get_ns(), 0);
	return 0;
}

#endif
