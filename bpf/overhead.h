// SPDX-License-Identifier: MIT OR GPL-2.0-only
// overhead.h: the time that the programs themselves take. Some of a program's runs for the target
// time themselves and leave the time for user space. User space allows a few such runs of each
// program at each collection: rare programs are always timed, and frequent ones cost no more. A run
// that is not timed reads one word, or none (OVERHEAD_CHANCE).
#ifndef PINWATCH_OVERHEAD_H
#define PINWATCH_OVERHEAD_H

// Programs whose runs are timed.
enum overhead_run {
	OVERHEAD_NEWTASK,
	OVERHEAD_CLONE,
	OVERHEAD_CLONE_RETURN,
	OVERHEAD_SIGMASK,
	OVERHEAD_SIGALTSTACK,
	OVERHEAD_EXIT,
	OVERHEAD_PROCESS_EXIT,
	OVERHEAD_TGKILL,
	OVERHEAD_TGKILL_RETURN,
	OVERHEAD_GENERATE,
	OVERHEAD_DELIVER,
	OVERHEAD_SIGRETURN,
	OVERHEAD_SWITCH,
	OVERHEAD_WAKING,
	OVERHEAD_WAKEUP_NEW,
	OVERHEAD_MIGRATE,
	OVERHEAD_COUNT,
};

// Sides of a switch, in the low bits of its time.
enum overhead_side {
	OVERHEAD_OUT = 1, // a thread of the target leaves the CPU
	OVERHEAD_IN = 2,  // a thread of the target comes to the CPU
	OVERHEAD_SIDE_BITS = 2,
};

#define OVERHEAD_SAMPLES 64

// Runs of each program that may still time themselves. User space sets it at each collection.
__u32 overhead_left[OVERHEAD_COUNT];

// Times of a program's runs; the newest replaces the oldest. CPUs that write at the same moment may
// lose one sample, and may time one run too many. Neither makes the other samples wrong.
struct overhead_timed {
	__u32 n;		     // runs, ever
	__u32 ns[OVERHEAD_SAMPLES];  // ns << OVERHEAD_SIDE_BITS | side; includes one reading of the clock
};

struct overhead_timed overhead_times[OVERHEAD_COUNT];

// A measuring aid: these programs (1 << enum overhead_run) read the clock so many times more.
const volatile __u32 slow_runs = 0;
const volatile __u32 slow_reads = 0;

struct overhead_begun {
	__u64 time; // 0 = this run is not timed
	__u32 run;
	__u32 side;
};

static __always_inline struct overhead_begun overhead_begin(enum overhead_run run, __u32 side, bool may)
{
	struct overhead_begun begun = {.run = run, .side = side};

	if (unlikely(may && overhead_left[run])) {
		overhead_left[run]--;
		begun.time = bpf_ktime_get_ns();
	}
	if (slow_runs >> run & 1)
		for (__u32 i = 0; i < slow_reads; i++)
			bpf_ktime_get_ns();
	return begun;
}

static __always_inline void overhead_end(const struct overhead_begun *begun)
{
	struct overhead_timed *times = &overhead_times[begun->run];
	__u64 ns;

	if (likely(!begun->time))
		return;
	ns = bpf_ktime_get_ns() - begun->time;
	times->ns[times->n & (OVERHEAD_SAMPLES - 1)] =
		(ns < 1 << 30 ? ns : (1 << 30) - 1) << OVERHEAD_SIDE_BITS | begun->side;
	times->n++;
}

// A run for the target lasts from here to the end of the enclosing function. In a program whose
// time stamp begins an interval, it stands right behind that stamp: then it times what the interval
// includes.
#define OVERHEAD_RUN(run) OVERHEAD_RUN_IF(run, 0, true)
#define OVERHEAD_RUN_IF(run, side, may)                                                            \
	const struct overhead_begun overhead_begun __attribute__((cleanup(overhead_end), unused)) = \
		overhead_begin(run, side, may)

// One run in 16, by chance: for a program so frequent that even the check of overhead_left would be
// a noticeable part of its time. The factor is 2^64 over the golden ratio, made odd; it spreads
// every bit of the time into the highest four. The lowest bits alone are no chance where the clock
// moves in steps: HPET's is 10 ns, so that the lowest bit may never change.
#define OVERHEAD_CHANCE(now) (!((now) * 0x9e3779b97f4a7c15ull >> 60))

#endif
