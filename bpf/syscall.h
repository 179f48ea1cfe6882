// SPDX-License-Identifier: MIT OR GPL-2.0-only
// syscall.h: a program for a system call, for both kinds of hook. fentry and fexit attach to the
// call's own function, and no other call is slower for it. Where the kernel refuses them, the
// classic tracepoint is used: while one is attached, every system call of every process enters and
// leaves the kernel on the slow path. The loader loads one of the two.
#ifndef PINWATCH_SYSCALL_H
#define PINWATCH_SYSCALL_H

// The function's argument is the caller's registers. On x86 the symbol of a call without arguments
// is only an alias, which BTF does not list (arch/x86/include/asm/syscall_wrapper.h,
// arch/arm64/include/asm/syscall_wrapper.h).
#if defined(__TARGET_ARCH_x86)
#define SYSCALL_FUNCTION(call) "__x64_sys_" #call
#define SYSCALL_FUNCTION0(call) "__do_sys_" #call
#define SYSCALL_ARGS(regs) (regs)->di, (regs)->si, (regs)->dx
#else
#define SYSCALL_FUNCTION(call) "__arm64_sys_" #call
#define SYSCALL_FUNCTION0(call) "__arm64_sys_" #call
#define SYSCALL_ARGS(regs) (regs)->regs[0], (regs)->regs[1], (regs)->regs[2]
#endif

// body(ctx, the first three arguments) runs at the enter.
#define SYSCALL_ENTER(call, body)                                                                  \
	SEC("tracepoint/syscalls/sys_enter_" #call)                                                \
	int pw_##call##_enter(struct syscall_enter *ctx)                                           \
	{                                                                                          \
		body(ctx, ctx->args[0], ctx->args[1], ctx->args[2]);                               \
		return PASS_ON;                                                                    \
	}                                                                                          \
	SEC("fentry/" SYSCALL_FUNCTION(call))                                                      \
	int pw_##call##_fentry(__u64 *ctx)                                                         \
	{                                                                                          \
		const struct pt_regs *regs = (void *)ctx[0];                                       \
                                                                                                   \
		body(ctx, SYSCALL_ARGS(regs));                                                     \
		return 0;                                                                          \
	}

// The same for a call without arguments.
#define SYSCALL_ENTER0(call, body)                                                                 \
	SEC("tracepoint/syscalls/sys_enter_" #call)                                                \
	int pw_##call##_enter(void *ctx)                                                           \
	{                                                                                          \
		body(ctx);                                                                         \
		return PASS_ON;                                                                    \
	}                                                                                          \
	SEC("fentry/" SYSCALL_FUNCTION0(call))                                                     \
	int pw_##call##_fentry(void *ctx)                                                          \
	{                                                                                          \
		body(ctx);                                                                         \
		return 0;                                                                          \
	}

// body(the return value) runs at the exit. For a clone the tracepoint fires in the child too, with
// 0. The function returns in the parent only: a child begins behind it (ret_from_fork).
#define SYSCALL_EXIT(call, body)                                                                   \
	SEC("tracepoint/syscalls/sys_exit_" #call)                                                 \
	int pw_##call##_exit(struct syscall_exit *ctx)                                             \
	{                                                                                          \
		body(ctx->ret);                                                                    \
		return PASS_ON;                                                                    \
	}                                                                                          \
	SEC("fexit/" SYSCALL_FUNCTION(call))                                                       \
	int pw_##call##_fexit(__u64 *ctx)                                                          \
	{                                                                                          \
		body((__s64)ctx[1]);                                                               \
		return 0;                                                                          \
	}

#endif
