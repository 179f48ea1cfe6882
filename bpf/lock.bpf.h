// SPDX-License-Identifier: MIT OR GPL-2.0-only
// lock.bpf.h: callers of runtime.LockOSThread, with their stacks. Attached on request only: the
// breakpoint costs a microsecond or two.
#ifndef PINWATCH_LOCK_BPF_H
#define PINWATCH_LOCK_BPF_H

// The return address of a function that has just been entered: on top of the stack, or in the link
// register.
static __always_inline __u64 return_address(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return user_word(BPF_CORE_READ(regs, sp));
#else
	return BPF_CORE_READ(regs, regs[30]);
#endif
}

// Frame pointers alone miss the caller: the entered function has no frame yet.
SEC("uprobe")
int pw_pin(struct pt_regs *ctx)
{
	__u64 now = bpf_ktime_get_ns();
	struct thread_state *self;
	struct stack_place *place;
	struct target *t;
	bool failed = false;
	struct event_pin *e;
	__u32 tid;
	__u64 g;

	t = current_target(&tid);
	if (!t)
		return 0;
	self = thread_find(tid);
	if (self) {
		self->depth_time = 0; // read the counts now
		lock_check_self(tid, now);
		self->check_time = 0; // and at the next switch-out
	}
	place = stack_take(tid, false, NULL);
	e = emit_reserve(t, sizeof(*e), KIND_PIN, tid, now);
	if (!e) {
		stack_free(place);
		return 0;
	}
	g = runtime_of(t)->known && self && !self->blind ? g_of(runtime_of(t), current_task(), &failed) : 0;
	e->goid = g ? user_word(g + runtime_of(t)->off_g_goid) : 0;
	e->caller = return_address(ctx);
	e->ext = self && self->lock >= LOCK_NONE ? self->ext : ~0ULL;
	stack_move(&e->stack, place, tid);
	emit_submit(e);
	return 0;
}

// An empty program, to measure the cost of a breakpoint.
SEC("uprobe")
int pw_nothing(void *ctx)
{
	return 0;
}

#endif
