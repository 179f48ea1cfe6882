// SPDX-License-Identifier: MIT OR GPL-2.0-only
// core_fixes.h: differences between kernels, one function each. No other file depends on a kernel
// version.
#ifndef PINWATCH_CORE_FIXES_H
#define PINWATCH_CORE_FIXES_H

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct task_struct___before_5_14 {
	volatile long state;
};

struct task_struct___before_5_16 {
	unsigned int cpu;
};

struct task_struct___before_7_3 {
	int on_cpu;
	int on_rq;
};

struct task_struct___since_7_3 {
	__u8 on_cpu;
	__u8 on_rq;
};

struct kernel_clone_args___since_6_4 {
	unsigned int user_worker;
};

struct inode___before_6_6 {
	struct timespec64 i_ctime;
};

struct inode___before_6_11 {
	struct timespec64 __i_ctime;
};

#pragma clang attribute pop

// on_cpu and on_rq were ints until 7.3 made them bytes. At some of their offsets the verifier
// refuses a load of an int.
#define task_flag(task, field)                                                                     \
	(bpf_core_field_size((task)->field) == 1 ?                                                 \
		 ((const struct task_struct___since_7_3 *)(task))->field :                         \
		 ((const struct task_struct___before_7_3 *)(task))->field)

// Reports whether the task runs on a CPU, or is just being switched in or out.
static __always_inline bool task_on_cpu(const struct task_struct *task)
{
	return task_flag(task, on_cpu);
}

// task_struct.state became __state in 5.14 (commit 2f064a59a11f).
static __always_inline __u32 task_state(const struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return task->__state;
	return (__u32)((const struct task_struct___before_5_14 *)task)->state;
}

// Reports whether a thread off its CPU waits for one. Since 6.12 a thread that falls asleep may
// stay on its run queue until it would be picked (commit 152e11f6df29): it has on_rq, and waits for
// nothing.
static __always_inline bool task_is_runnable(const struct task_struct *task)
{
	if (task_state(task) == 0)
		return true;
	if (bpf_core_field_exists(task->se.sched_delayed) && task->se.sched_delayed)
		return false;
	return task_flag(task, on_rq);
}

// Reports whether the kernel made the thread for its own work in the process: a worker of io_uring
// or, since 6.4, of vhost (commit f9010dbdce91). PF_USER_WORKER came with
// kernel_clone_args.user_worker (commit 54e6842d0775). Before that its bit had another meaning.
static __always_inline bool task_is_io_worker(const struct task_struct *task)
{
	__u32 flags = PF_IO_WORKER;

	if (bpf_core_field_exists(((struct kernel_clone_args___since_6_4 *)0)->user_worker))
		flags |= PF_USER_WORKER;
	return task->flags & flags;
}

// Reports whether the kernel was built with quotas of CPU time (CONFIG_CFS_BANDWIDTH).
static __always_inline bool has_quotas(void)
{
	return bpf_core_field_exists(((struct task_struct *)0)->sched_task_group) &&
	       bpf_core_field_exists(((struct task_group *)0)->cfs_bandwidth.throttled_cfs_rq);
}

// How far a task's CLOCK_MONOTONIC is ahead of bpf_ktime_get_ns, ns: the offset of its time
// namespace. Without CONFIG_TIME_NS there is none.
static __always_inline __s64 task_clock_ahead(const struct task_struct *task)
{
	const struct time_namespace *ns = BPF_CORE_READ(task, nsproxy, time_ns);

	if (!ns || !bpf_core_field_exists(ns->offsets.monotonic.tv_nsec))
		return 0;
	return BPF_CORE_READ(ns, offsets.monotonic.tv_sec) * 1000000000LL +
	       BPF_CORE_READ(ns, offsets.monotonic.tv_nsec);
}

// When the file or what is known of it was last changed. i_ctime became __i_ctime in 6.6 (commit
// 13bc24457850), and two integers in 6.11 (commit 3aa63a569c64). Since 6.13 the highest bit of the
// nanoseconds means that somebody has read the time (commit 4e40eff0b573, I_CTIME_QUERIED).
static __always_inline void inode_ctime(const struct inode *inode, __s64 *sec, __u32 *nsec)
{
	const struct inode___before_6_11 *newer = (const void *)inode;
	const struct inode___before_6_6 *old = (const void *)inode;

	if (bpf_core_field_exists(inode->i_ctime_nsec)) {
		*sec = inode->i_ctime_sec;
		*nsec = inode->i_ctime_nsec & ~(1u << 31);
	} else if (bpf_core_field_exists(newer->__i_ctime)) {
		*sec = newer->__i_ctime.tv_sec;
		*nsec = newer->__i_ctime.tv_nsec;
	} else {
		*sec = old->i_ctime.tv_sec;
		*nsec = old->i_ctime.tv_nsec;
	}
}

// The CPU moved from task_struct to thread_info in 5.16 (commit bcf9033e5449).
static __always_inline __u32 task_cpu(const struct task_struct *task)
{
	const struct task_struct___before_5_16 *old = (const void *)task;

	if (bpf_core_field_exists(task->thread_info.cpu))
		return task->thread_info.cpu;
	if (bpf_core_field_exists(old->cpu))
		return old->cpu;
	return 0;
}

// State with which the previous task of a switch leaves. Before 5.18 it is read from the task,
// where a wake-up on another CPU may already have changed it.
static __always_inline __u32 switch_prev_state(const __u64 *ctx, const struct task_struct *prev)
{
	if (switch_has_state)
		return (__u32)ctx[3];
	return task_state(prev);
}

// Writes the word that makes everything written before it valid. x86 keeps the order of stores.
// arm64 needs an atomic exchange, which its kernels compile since 5.18 (commit 1902472b4fa9).
static __always_inline void publish(__u64 *where, __u64 value)
{
#if defined(__TARGET_ARCH_x86)
	barrier();
	*(volatile __u64 *)where = value;
#else
	__sync_lock_test_and_set(where, value);
#endif
}

// Keeps reads before it from reads after it. x86 keeps the order of loads. On arm64 an atomic
// operation that returns a value is a full barrier (Documentation/atomic_t.txt), and its JIT makes
// one that is (arch/arm64/net/bpf_jit_comp.c, BPF_FETCH). See publish for its kernels.
static __always_inline void read_barrier(void)
{
#if defined(__TARGET_ARCH_x86)
	barrier();
#else
	__u64 word = 0;

	__sync_lock_test_and_set(&word, 1); // an addition whose value is not used has no barrier
#endif
}

// The calling thread. bpf_get_current_task_btf exists since 5.11 (commit 3ca1032ab7ab),
// bpf_task_pt_regs since 5.15 (commit dd6e10fbd9fb): a kernel with the second has both.
#define HAS_TASK_PT_REGS bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs)
static __always_inline struct task_struct *current_task(void)
{
	return HAS_TASK_PT_REGS ? bpf_get_current_task_btf() : (void *)bpf_get_current_task();
}

// User-space registers of a thread that is in the kernel. Without bpf_task_pt_regs they are the
// last thing on a kernel stack of 16 KiB (x86-64, and arm64 with 4 KiB pages).
#define THREAD_SIZE_BEFORE_5_15 (16 * 1024)
static __always_inline const struct pt_regs *user_registers(struct task_struct *task)
{
	if (HAS_TASK_PT_REGS)
		return (void *)bpf_task_pt_regs(task);
	return BPF_CORE_READ(task, stack) + THREAD_SIZE_BEFORE_5_15 - bpf_core_type_size(struct pt_regs);
}

// With bpf_task_pt_regs the registers can be read like any kernel memory.
#define user_register(regs, field) (HAS_TASK_PT_REGS ? (regs)->field : BPF_CORE_READ(regs, field))

#if defined(__TARGET_ARCH_x86)
#define register_ip ip
#define register_frame bp
#define register_argument di
#define register_call orig_ax
#else
#define register_ip pc
#define register_frame regs[29]
#define register_argument orig_x0 // the first register itself holds the return value
#define register_call syscallno
#endif

// The stack pointer and the first argument of the system call that the thread is in.
static __always_inline void user_call(struct task_struct *task, __u64 *sp, __u64 *argument)
{
	const struct pt_regs *regs = user_registers(task);

	*sp = user_register(regs, sp);
	*argument = user_register(regs, register_argument);
}

static __always_inline __u64 user_stack_pointer(void)
{
	return user_register(user_registers(current_task()), sp);
}

static __always_inline __u64 user_frame_pointer(void)
{
	return user_register(user_registers(current_task()), register_frame);
}

static __always_inline __u64 user_program_counter(void)
{
	return user_register(user_registers(current_task()), register_ip);
}

// Number of the system call that the calling thread is in. Outside one it is the value of the last
// entry into the kernel: -1, an interrupt's complement, a fault's error code
// (arch/x86/entry/entry_64.S; arch/arm64/include/asm/ptrace.h).
static __always_inline __s32 current_syscall(void)
{
	return (__s32)user_register(user_registers(current_task()), register_call);
}

// What the signal that is being delivered to the calling thread does to its system call. The
// tracepoint comes before the kernel decides that from the same values (arch/x86/kernel/signal.c,
// handle_signal). restart: the handler asks for SA_RESTART. On arm64 the values are gone: the kernel has
// moved the thread back to its svc instruction, in case of a restart (arch/arm64/kernel/signal.c,
// do_signal). There it shows by the call's number: calls in the list return ERESTARTNOHAND or
// ERESTART_RESTARTBLOCK, others ERESTARTSYS, and futex either (man 7 signal).
static __always_inline __u32 signalled_call(bool restart, __u32 *call)
{
	const struct pt_regs *regs = user_registers(current_task());
#if defined(__TARGET_ARCH_x86)
	__s32 number = (__s32)user_register(regs, orig_ax);

	if (number < 0)
		return CALL_NONE;
	*call = number;
	switch (-(__s64)user_register(regs, ax)) {
	case ERESTARTSYS:
		return restart ? CALL_RESTARTED : CALL_INTERRUPTED;
	case ERESTARTNOINTR:
		return CALL_RESTARTED;
	case ERESTARTNOHAND:
	case ERESTART_RESTARTBLOCK:
	case EINTR:
		return CALL_INTERRUPTED;
	}
	return CALL_NONE;
#else
	const __u32 svc = 0xd4000001;
	__u32 code[2] = {}; // before the program counter, and at it

	bpf_probe_read_user(code, sizeof(code), (void *)(user_register(regs, pc) - 4));
	*call = user_register(regs, regs[8]);
	if (code[0] == svc && -(__s64)user_register(regs, regs[0]) == EINTR)
		return CALL_INTERRUPTED;
	if (code[1] != svc)
		return CALL_NONE;
	switch (*call) { // include/uapi/asm-generic/unistd.h
	case 72:  // pselect6
	case 73:  // ppoll
	case 101: // nanosleep
	case 115: // clock_nanosleep
	case 133: // rt_sigsuspend
	case 188: // msgrcv
	case 189: // msgsnd
		return CALL_INTERRUPTED;
	case 98: // futex
		return CALL_UNKNOWN;
	}
	return restart ? CALL_RESTARTED : CALL_INTERRUPTED;
#endif
}

// The base by which a thread's g is found: its thread pointer, or the register that holds g. The
// thread pointer is the one that the kernel saved at the last switch-out, or that clone set:
// libraries and runtimes set it once.
static __always_inline __u64 thread_g_base(struct task_struct *task, bool in_register)
{
#if defined(__TARGET_ARCH_x86)
	return BPF_CORE_READ(task, thread.fsbase);
#else
	if (in_register)
		return BPF_CORE_READ(user_registers(task), regs[28]);
	return BPF_CORE_READ(task, thread.uw.tp_value);
#endif
}

#endif
