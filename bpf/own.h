// SPDX-License-Identifier: MIT OR GPL-2.0-only
// own.h: what the programs themselves take. Some of a program's runs for the target time themselves and leave the time where
// user space finds it; the others look at one word, or not even that (OWN_CHANCE). User space allows a few of each program whenever it comes by: so what is rare is
// always timed, and what is frequent is no dearer for it.
#ifndef PINWATCH_OWN_H
#define PINWATCH_OWN_H

// The programs whose runs are timed. The order is that of loader's table.
enum own_run {
	OWN_NEWTASK,
	OWN_CLONE,
	OWN_CLONE_RETURN,
	OWN_SIGMASK,
	OWN_SIGALTSTACK,
	OWN_EXIT,
	OWN_PROCESS_EXIT,
	OWN_TGKILL,
	OWN_TGKILL_RETURN,
	OWN_GENERATE,
	OWN_DELIVER,
	OWN_SIGRETURN,
	OWN_SWITCH,
	OWN_WAKING,
	OWN_WAKEUP_NEW,
	OWN_MIGRATE,
	OWN_COUNT,
};

// Of a switch: a thread of the target leaves the CPU, one comes to it.
#define OWN_OUT 1
#define OWN_IN 2

#define OWN_SAMPLES 64

// Runs of each program that may be timed; user space writes it again and again.
__u32 own_left[OWN_COUNT];

// Times of a program's runs, the newest over the oldest. CPUs that write at one moment may lose a sample to each other, and may time
// a run more: neither makes the others wrong.
struct own_timed {
	__u32 n;		// runs, ever
	__u32 ns[OWN_SAMPLES];	// ns << 2 | OWN_OUT | OWN_IN; the clock is read once within
};

struct own_timed own_times[OWN_COUNT];

// For tests: makes these programs (1 << enum own_run) slow, by so many readings of the clock.
const volatile __u32 slow_runs = 0;
const volatile __u32 slow_reads = 0;

struct own_begun {
	__u64 at; // 0 = this run is not timed
	__u32 run;
	__u32 side;
};

static __always_inline struct own_begun own_begin(enum own_run run, __u32 side, bool may)
{
	struct own_begun begun = {.run = run, .side = side};

	if (unlikely(may && own_left[run])) {
		own_left[run]--;
		begun.at = bpf_ktime_get_ns();
	}
	if (slow_runs >> run & 1)
		for (__u32 i = 0; i < slow_reads; i++)
			bpf_ktime_get_ns();
	return begun;
}

static __always_inline void own_end(const struct own_begun *begun)
{
	struct own_timed *times = &own_times[begun->run];
	__u64 ns;

	if (likely(!begun->at))
		return;
	ns = bpf_ktime_get_ns() - begun->at;
	times->ns[times->n & (OWN_SAMPLES - 1)] = (ns < 1 << 30 ? ns : (1 << 30) - 1) << 2 | begun->side;
	times->n++;
}

// From here to the end of the enclosing function is a run for the target. In a program whose time stamp begins an interval it stands
// right behind that stamp: what it times is what the interval holds.
#define OWN_RUN(run) OWN_RUN_IF(run, 0, true)
#define OWN_RUN_IF(run, side, may)                                                                 \
	const struct own_begun own_begun __attribute__((cleanup(own_end), unused)) = own_begin(run, side, may)

// One run in 16, by chance: for a program that runs so often that even the look whether it may time itself is a part of what it takes.
#define OWN_CHANCE(now) (!((now) & 15))

#endif
