// SPDX-License-Identifier: MIT OR GPL-2.0-only
// kernel.h: the kernel types that pinwatch reads, each with only the fields it reads. Every access
// is relocated against the running kernel's BTF (CO-RE), so the order and the offsets below are
// arbitrary.
#ifndef PINWATCH_KERNEL_H
#define PINWATCH_KERNEL_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16; // named by bpf_helper_defs.h
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)
#define barrier() asm volatile("" ::: "memory")
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

// include/uapi/linux/bpf.h
enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_QUEUE = 22,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum { BPF_ANY = 0, BPF_NOEXIST = 1 };
enum { BPF_F_MMAPABLE = 1 << 10 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2, BPF_RB_AVAIL_DATA = 0 };

// Return value of a program on a classic tracepoint. If any program returns 0, perf's own users of
// the tracepoint do not get the event, and perf record, perf trace and perf stat go blind
// (kernel/trace/bpf_trace.c, trace_call_bpf).
enum { PASS_ON = 1 };

// include/uapi/linux/sched.h, signal.h; include/linux/sched.h; arch-independent on the
// architectures Go supports
#define CLONE_THREAD 0x00010000ULL
#define TASK_DEAD 0x0080
#define TASK_WAKING 0x0200
#define SIGURG 23
#define SA_RESTART 0x10000000
#define SIG_SETMASK 2
#define SS_DISABLE 2

// include/linux/sched.h
enum task_flags {
	PF_EXITING = 0x00000004,
	PF_IO_WORKER = 0x00000010,
	PF_USER_WORKER = 0x00004000,
	PF_KTHREAD = 0x00200000,
};

// include/uapi/asm-generic/errno-base.h, include/linux/errno.h: what a system call returns inside the
// kernel when a signal is pending
enum {
	EINTR = 4,
	ERESTARTSYS = 512,
	ERESTARTNOINTR = 513,
	ERESTARTNOHAND = 514,
	ERESTART_RESTARTBLOCK = 516,
};

// arch/x86/entry/syscalls/syscall_64.tbl; include/uapi/asm-generic/unistd.h
#if defined(__TARGET_ARCH_x86)
#define NR_EXIT 60
#else
#define NR_EXIT 93
#endif

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded" // the kernel's types have padding
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pid_namespace;

struct upid {
	__u32 nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct thread_info {
	__u32 cpu;
};

struct cpumask {
	unsigned long bits[1];
};

#if defined(__TARGET_ARCH_x86)
struct thread_struct {
	unsigned long fsbase;
};
#else
struct user_words {
	unsigned long tp_value;
};

struct thread_struct {
	struct user_words uw;
};
#endif

struct list_head {
	struct list_head *next;
};

struct signal_struct {
	int nr_threads;
	struct list_head thread_head;
};

struct sched_entity {
	unsigned char sched_delayed;
};

struct timespec64 {
	__s64 tv_sec;
	long tv_nsec;
};

struct timens_offsets {
	struct timespec64 monotonic;
};

struct time_namespace {
	struct timens_offsets offsets;
};

struct nsproxy {
	struct time_namespace *time_ns;
};

struct rq {
	int cpu;
};

struct cfs_rq {
	struct rq *rq;
	struct list_head throttled_list;
};

struct hrtimer {
	__s64 _softexpires;
};

struct cfs_bandwidth {
	struct hrtimer period_timer;
	struct list_head throttled_cfs_rq;
};

struct task_group {
	struct task_group *parent;
	struct cfs_bandwidth cfs_bandwidth;
};

struct super_block {
	__u32 s_dev;
};

struct inode {
	struct super_block *i_sb;
	__u64 i_ino;
	__s64 i_size;
	__s64 i_ctime_sec;
	__u32 i_ctime_nsec;
	__u32 i_generation;
};

struct file {
	struct inode *f_inode;
};

struct linux_binprm {
	struct file *file;
	const char *filename;
};

struct kernel_sigset {
	unsigned long sig[1];
};

struct sigpending {
	struct kernel_sigset signal;
};

struct task_struct {
	struct task_group *sched_task_group;
	struct thread_info thread_info;
	struct thread_struct thread;
	int on_cpu;
	int on_rq;
	struct sched_entity se;
	const struct cpumask *cpus_ptr;
	unsigned int __state;
	int exit_state;
	unsigned int flags;
	__u32 pid;
	__u32 tgid;
	int pdeath_signal;
	struct list_head children;
	struct list_head sibling;
	struct pid *thread_pid;
	struct signal_struct *signal;
	struct list_head thread_node;
	struct nsproxy *nsproxy;
	struct task_struct *group_leader;
	struct kernel_sigset blocked;
	struct sigpending pending;
	void *stack;
	char comm[16];
};

struct sigaction {
	unsigned long sa_flags;
};

struct k_sigaction {
	struct sigaction sa;
};

struct kernel_siginfo {
	int si_code;
};

struct pt_regs {
#if defined(__TARGET_ARCH_x86)
	unsigned long dx;
	unsigned long si;
	unsigned long bp;
	unsigned long di;
	unsigned long orig_ax;
	unsigned long ax;
	unsigned long ip;
	unsigned long sp;
#else
	__u64 regs[31];
	__u64 sp;
	__u64 pc;
	__s32 syscallno;
	__u64 orig_x0;
#endif
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

enum bpf_func_id {
	BPF_FUNC_task_pt_regs = 175,
};

#pragma clang attribute pop
#pragma clang diagnostic pop

// Context of a program on a classic system-call tracepoint: events/syscalls/*/format.
struct syscall_enter {
	__u64 common;
	__u64 nr;
	__u64 args[6];
};

struct syscall_exit {
	__u64 common;
	__u64 nr;
	__s64 ret;
};

#endif
