// SPDX-License-Identifier: MIT OR GPL-2.0-only
// lifecycle.bpf.h: threads come and go. clone and clone3, task_newtask, the system calls that end a Go thread's start-up and
// begin its end, exit, and the kernel's own end of a thread.
#ifndef PINWATCH_LIFECYCLE_BPF_H
#define PINWATCH_LIFECYCLE_BPF_H

// A call begins whose exit is wanted (now), or one of the same kind whose exit is not (0).
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
	__u32 tid = current_target_tid();
	struct thread_state *self;
	struct event_return *e;

	if (!tid)
		return;
	OWN_RUN(kind == KIND_CLONE_EXIT ? OWN_CLONE_RETURN : OWN_TGKILL_RETURN);
	self = thread_find(tid);
	if (!self || !self->call_time)
		return;
	enter = self->call_time;
	self->call_time = 0;
	self->calling = 0;
	e = emit_reserve(sizeof(*e), kind, tid, now);
	if (!e)
		return;
	e->ret = ret;
	e->enter = enter;
	emit_submit(e);
}

// Who makes a thread, and from where. Returns the time when all that is done; 0 when there was no room.
static __always_inline __u64 clone_tell(void *ctx, __u32 tid, __u64 clone_flags, __u8 clone3)
{
	struct event_clone_enter *e;
	__u8 lock;
	__u64 now;

	lock = lock_look_self(tid, bpf_ktime_get_ns());
	e = emit_reserve(sizeof(*e), KIND_CLONE_ENTER, tid, 0);
	if (!e)
		return 0;
	e->h.flags = clone3;
	e->clone_flags = clone_flags;
	e->lock = lock;
	if (clone3) // is what C libraries call
		emit_c_stack(ctx, &e->stack);
	else
		emit_stack(ctx, &e->stack);
	now = bpf_ktime_get_ns();
	e->h.time = now;
	emit_submit(e);
	return now;
}

// The call's time begins when all this is done, so that it is not in it.
static __always_inline void clone_begins(void *ctx, __u64 clone_flags, __u8 clone3)
{
	__u32 tid = current_target_tid();
	__u64 now;

	if (!tid)
		return;
	OWN_RUN(OWN_CLONE);
	if (!(clone_flags & CLONE_THREAD)) {
		call_begin(tid, 0);
		return;
	}
	now = clone_tell(ctx, tid, clone_flags, clone3);
	call_begin(tid, now ? now : bpf_ktime_get_ns());
}

static __always_inline void clone_enter(void *ctx, __u64 clone_flags, __u64 b, __u64 c)
{
	clone_begins(ctx, clone_flags, 0);
}

static __always_inline void clone3_enter(void *ctx, __u64 args, __u64 b, __u64 c)
{
	__u64 clone_flags = 0; // the first member of struct clone_args

	if (current_target_tid() && !bpf_probe_read_user(&clone_flags, sizeof(clone_flags), (void *)args))
		clone_begins(ctx, clone_flags, 1);
}

// 0 is the child's.
static __always_inline void clone_exit(__s64 ret)
{
	if (ret)
		call_end(KIND_CLONE_EXIT, ret);
}

SYSCALL_ENTER(clone, clone_enter)
SYSCALL_EXIT(clone, clone_exit)
SYSCALL_ENTER(clone3, clone3_enter)
SYSCALL_EXIT(clone3, clone_exit)

SEC("tp_btf/task_newtask")
int pw_newtask(__u64 *ctx)
{
	struct task_struct *child = (void *)ctx[0];
	__u32 parent = (__u32)bpf_get_current_pid_tgid();
	struct thread_state *state, *self;
	__u64 now, enter = 0;
	struct event_newtask *e;

	if (!is_target(child))
		return 0;
	OWN_RUN(OWN_NEWTASK);
	if (!(ctx[1] & CLONE_THREAD)) {
		target_gone = 1; // a new process got the target's old PID
		return 0;
	}
	if (light) // the parent is in its clone
		enter = clone_tell(ctx, parent, ctx[1], 0);
	now = bpf_ktime_get_ns();
	thread_forget(child->pid); // of a thread whose end was not seen
	state = thread_make(child->pid);
	self = thread_find(parent);
	if (state) {
		state->off_time = now;
		state->fresh = 1;
		state->starting = self && self->masked; // the runtime blocks its signals around it (newosproc), C code's threads get never ready
	}
	e = emit_reserve(sizeof(*e), KIND_NEWTASK, child->pid, now);
	if (!e)
		return 0;
	e->parent = parent;
	e->ns_tid = thread_ns_tid(child);
	e->clone_flags = ctx[1];
	if (!light && self)
		enter = self->call_time;
	e->enter = enter;
	emit_submit(e);
	return 0;
}

// With an M that is not its own for life, what looked like the end of a thread was that of a call from C (runtime.dropm). Only a thread that
// blocks its signals for good, and so may be about to end, is looked at (one that wants to unblock them asks for the old mask: newosproc); where
// offsets are not proved each one that may know its M (runtime.minit writes it before).
static __always_inline __u8 sigmask_look(struct thread_state *self, __u32 tid, __u64 now, bool masked, bool for_good)
{
	struct lock_seen seen = {};

	self->masked = masked;
	if (!self->m || !masked)
		self->leaving = 0;
	if (self->starting == 2)
		self->starting = 0;
	if ((masked && for_good) || (!offsets_proved && (self->m || !runtime_cgo)))
		lock_look(self, tid, now, &seen);
	return seen.kind;
}

// The set of signals that a system call is given; most often one that is known to be there.
static __always_inline __u64 signal_set(__u64 address)
{
	if (!runtime_gone)
		for (__u32 i = 0; i < MASKS; i++)
			if (mask_at[i] && address == mask_at[i])
				return mask_set[i];
	return user_word(address);
}

// A Go thread's last step to "ready" (minit) and its first step to its end (mexit) is rt_sigprocmask(SIG_SETMASK).
static __always_inline void sigprocmask_enter(void *ctx, __u64 how, __u64 set_address, __u64 old_address)
{
	__u32 tid = current_target_tid();
	struct thread_state *self;
	struct event_sigmask *e;
	__u8 lock = LOCK_UNREAD;
	__u64 set, now;

	if (!tid || (__s32)how != SIG_SETMASK || !set_address)
		return;
	now = bpf_ktime_get_ns();
	OWN_RUN(OWN_SIGMASK);
	set = signal_set(set_address);
	self = thread_find(tid);
	if (self)
		lock = sigmask_look(self, tid, now, set >> (SIGURG - 1) & 1, !old_address);
	e = emit_reserve(sizeof(*e), KIND_SIGMASK, tid, now);
	if (!e)
		return;
	e->h.flags = lock;
	e->set = set;
	emit_submit(e);
}

SYSCALL_ENTER(rt_sigprocmask, sigprocmask_enter)

static __always_inline void sigaltstack_enter(void *ctx, __u64 stack, __u64 b, __u64 c)
{
	__u32 tid = current_target_tid();
	struct event_sigaltstack *e;
	struct thread_state *self;
	__u32 flags = 0;

	if (!tid || !stack)
		return;
	OWN_RUN(OWN_SIGALTSTACK);
	bpf_probe_read_user(&flags, sizeof(flags), (void *)(stack + 8)); // stack_t.ss_flags
	self = thread_find(tid);
	if (self && self->masked && flags & SS_DISABLE)
		self->leaving = 1;
	if (self && self->starting && !(flags & SS_DISABLE))
		self->starting = 2;
	e = emit_reserve(sizeof(*e), KIND_SIGALTSTACK, tid, bpf_ktime_get_ns());
	if (!e)
		return;
	e->ss_flags = flags;
	e->unused = 0;
	emit_submit(e);
}

SYSCALL_ENTER(sigaltstack, sigaltstack_enter)

// The calling thread ends: its memory says nothing of it any more.
static __always_inline void thread_leaves(__u32 tid)
{
	struct thread_state *self = thread_find(tid);

	if (self)
		self->leaving = 1;
}

static __always_inline void exit_enter(void *ctx, __u64 a, __u64 b, __u64 c)
{
	__u32 tid = current_target_tid();

	if (!tid)
		return;
	OWN_RUN(OWN_EXIT);
	thread_leaves(tid);
	emit_stacked(ctx, KIND_EXIT_ENTER, tid);
}

SYSCALL_ENTER(exit, exit_enter)

SEC("tp_btf/sched_process_exit")
int pw_process_exit(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];

	if (!is_target(task))
		return 0;
	OWN_RUN(OWN_PROCESS_EXIT);
	thread_leaves(task->pid);
	emit_plain(KIND_PROCESS_EXIT, task->pid, bpf_ktime_get_ns(), current_syscall() == NR_EXIT);
	return 0;
}

SEC("tp_btf/sched_process_free")
int pw_process_free(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];

	if (is_target(task))
		emit_plain(KIND_PROCESS_FREE, task->pid, bpf_ktime_get_ns(), 0);
	return 0;
}

// exec ends all other threads, and gives the one that called it the tid of the process (fs/exec.c, de_thread).
SEC("tp_btf/sched_process_exec")
int pw_exec(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	__u32 old_tid = ctx[1];
	struct thread_state *state;
	struct event_exec *e;

	if (!is_target(task))
		return 0;
	runtime_gone = 1;
	state = thread_find(old_tid);
	if (aggregate && state)
		sum_tell(state, old_tid, bpf_ktime_get_ns()); // what was added up is the old program's
	thread_rename(old_tid, task->pid);
	state = thread_get(task);
	if (state)
		state->blind = 1;
	e = emit_reserve(sizeof(*e), KIND_EXEC, task->pid, bpf_ktime_get_ns());
	if (!e)
		return 0;
	e->old_tid = old_tid;
	e->ns_tid = thread_ns_tid(task);
	emit_submit(e);
	return 0;
}

#endif
