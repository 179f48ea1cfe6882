// SPDX-License-Identifier: MIT OR GPL-2.0-only
// preempt.bpf.h: a SIGURG from its sending to its return: tgkill, signal_generate, signal_deliver,
// rt_sigreturn.
#ifndef PINWATCH_PREEMPT_BPF_H
#define PINWATCH_PREEMPT_BPF_H

static __always_inline void tgkill_enter(void *ctx, __u64 tgid, __u64 target, __u64 sig)
{
	struct target *t;
	__u64 now;
	__u32 tid;

	t = current_target(&tid);
	if (!t)
		return;
	OVERHEAD_RUN(OVERHEAD_TGKILL);
	if ((__s32)sig != SIGURG) {
		call_begin(tid, 0);
		return;
	}
	now = emit_stacked(t, KIND_TGKILL_ENTER, tid);
	call_begin(tid, now ? now : bpf_ktime_get_ns());
}

static __always_inline void tgkill_exit(__s64 ret)
{
	call_end(KIND_TGKILL_EXIT, ret);
}

SYSCALL_ENTER(tgkill, tgkill_enter)
SYSCALL_EXIT(tgkill, tgkill_exit)

static __always_inline __u8 target_state_unseen(const struct task_struct *task)
{
	if (task_on_cpu(task))
		return TARGET_ON_CPU;
	return task_is_runnable(task) ? TARGET_RUNNABLE : TARGET_BLOCKED;
}

// Where the target thread of a signal is. The tracepoint comes after the wake-up (kernel/signal.c,
// complete_signal), so a thread that the sender woke in this very call was blocked. With light the
// beginning of the call is unknown. A task's on_cpu outlasts its switch-out; the slot does not.
static __always_inline __u8 target_state(const struct target *t, struct task_struct *task, __u32 sender, __u64 enter)
{
	const struct thread_state *state = thread_get(t, task);
	bool woken, by_sender;

	if (slot_holds(cpu_slot(task_cpu(task)), task))
		return TARGET_ON_CPU;
	if (!state)
		return target_state_unseen(task);
	woken = state->wake_time > state->off_time && !state->off_runnable;
	by_sender = woken && (state->waker == sender || state->waker == state->tid); // see waker_of
	if (light && by_sender)
		return TARGET_UNKNOWN;
	if (by_sender && enter && state->wake_time >= enter)
		return TARGET_BLOCKED;
	if (!state->off_time)
		return target_state_unseen(task);
	if (task_on_cpu(task))
		return TARGET_UNKNOWN;
	return woken || state->off_runnable ? TARGET_RUNNABLE : TARGET_BLOCKED;
}

// Reports whether the kernel itself sent the signal. The siginfo argument is 0 (from the calling
// process), 1 (from the kernel) or a pointer. Siginfo made by the kernel has a positive si_code
// (include/linux/signal_types.h, include/uapi/asm-generic/siginfo.h). Since the argument may be no
// pointer, 6.12 and later refuse to dereference it (kernel/bpf/btf.c, raw_tp_null_args).
static __always_inline bool sent_by_kernel(__u64 info)
{
	const struct kernel_siginfo *si = (const void *)info;
	int code = 0;

	if (info <= 1)
		return info == 1;
	bpf_probe_read_kernel(&code, sizeof(code), &si->si_code);
	return code > 0;
}

SEC("tp_btf/signal_generate")
int pw_generate(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[2];
	struct target *t = target_of(task->tgid);
	__u64 now, sender, enter = 0;
	struct thread_state *self, *state;
	struct event_signal_generate *e;
	__u8 lock = LOCK_UNREAD;

	if ((__s32)ctx[0] != SIGURG || !t)
		return 0;
	OVERHEAD_RUN(OVERHEAD_GENERATE);
	state = thread_get(t, task);
	if (state && !ctx[4] && !ctx[3]) // it will be delivered, and to this thread
		state->pending = 1;
	sender = sent_by_kernel(ctx[1]) ? 0 : bpf_get_current_pid_tgid();
	if (light && sender >> 32 == task->tgid && !ctx[3]) // the sender is in its tgkill
		enter = emit_stacked(t, KIND_TGKILL_ENTER, (__u32)sender);
	now = bpf_ktime_get_ns();
	if (sender >> 32 == task->tgid) {
		self = thread_find((__u32)sender);
		if (!light && self)
			enter = self->call_time;
		lock = lock_peek(t, state, now);
	}
	e = emit_reserve(t, sizeof(*e), KIND_SIGNAL_GENERATE, task->pid, now);
	if (!e)
		return 0;
	e->h.flags = target_state(t, task, (__u32)sender, enter);
	e->sender = (__u32)sender;
	e->sender_tgid = sender >> 32;
	e->group = (__u16)ctx[3];
	e->lock = lock;
	e->unused = 0;
	e->result = (__u32)ctx[4];
	e->enter = enter;
	emit_submit(e);
	return 0;
}

SEC("tp_btf/signal_deliver")
int pw_deliver(__u64 *ctx)
{
	const struct k_sigaction *action = (const void *)ctx[2];
	struct event_signal_deliver *e;
	struct thread_state *self;
	__u8 lock = LOCK_UNREAD;
	struct target *t;
	__u32 tid, call = 0;
	__u64 now;

	if ((__s32)ctx[0] != SIGURG)
		return 0;
	t = current_target(&tid);
	if (!t)
		return 0;
	now = bpf_ktime_get_ns();
	OVERHEAD_RUN(OVERHEAD_DELIVER);
	self = thread_find(tid);
	if (self) {
		self->pending = 0;
		self->handling = !light; // until its sigreturn, which light does not see
		self->again = 1; // it may run again only because of this signal
		lock = lock_check_self(tid, now);
	}
	e = emit_reserve(t, sizeof(*e), KIND_SIGNAL_DELIVER, tid, now);
	if (!e)
		return 0;
	e->h.flags = lock;
	e->end = signalled_call(action->sa.sa_flags & SA_RESTART, &call);
	e->call = call;
	emit_submit(e);
	return 0;
}

// Offset of the saved program counter from the stack pointer at rt_sigreturn.
#if defined(__TARGET_ARCH_x86)
// arch/x86/include/asm/sigframe.h: the restorer's return address is popped, sp is at struct
// ucontext: uc_flags, uc_link, uc_stack (40 bytes), then gregs, of which rip is the 17th.
#define SIGFRAME_PC (40 + 16 * 8)
#else
// arch/arm64/kernel/signal.c struct rt_sigframe: siginfo (128 bytes), then struct ucontext, whose
// sigcontext is at 176: fault_address, regs[31], sp, pc.
#define SIGFRAME_PC (128 + 176 + 8 + 31 * 8 + 8)
#endif

static __always_inline void sigreturn_enter(void *ctx)
{
	__u64 now = bpf_ktime_get_ns();
	const volatile struct go_runtime *rt;
	struct event_sigreturn *e;
	struct thread_state *self;
	struct target *t;
	__u64 pc = 0;
	__u32 tid;

	t = current_target(&tid);
	if (!t)
		return;
	OVERHEAD_RUN(OVERHEAD_SIGRETURN);
	bpf_probe_read_user(&pc, sizeof(pc), (void *)(user_stack_pointer() + SIGFRAME_PC));
	self = thread_find(tid);
	rt = runtime_of(t);
	if (self)
		self->handling = 0;
	if (self && rt->known && rt->async_preempt && pc == rt->async_preempt &&
	    (self->lock == LOCK_USER || self->lock == LOCK_RUNTIME))
		self->injected = 1;
	e = emit_reserve(t, sizeof(*e), KIND_SIGRETURN, tid, now);
	if (!e)
		return;
	e->pc = pc;
	emit_submit(e);
}

SYSCALL_ENTER0(rt_sigreturn, sigreturn_enter)

#endif
