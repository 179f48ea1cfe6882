//go:build ignore
// A program without Go that does what the runtime does to its threads: it creates one by clone(2), has it exit, and
// sends SIGURG by tgkill to one that runs. It prints the times in nanoseconds, as JSON. They are the kernel's and the
// hypervisor's part of P-5, P-8 and P-9 on this machine.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 200
#define PAUSE 2000 // µs between two rounds, in which caches grow cold, as between the runtime's calls
#define STACK (64 << 10)

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void confine(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		exit(1);
}

static int prefer(int priority)
{
	struct sched_param p = {.sched_priority = priority};

	return sched_setscheduler(0, SCHED_FIFO, &p);
}

static void print(const char *name, const long *values, int n)
{
	printf("\"%s\": [", name);
	for (int i = 0; i < n; i++)
		printf("%s%ld", i ? ", " : "", values[i]);
	printf("]");
}

// Threads that end. The creator has the lower priority and the same CPU, so that it runs again only when the thread
// has left that CPU for the last time.

static long leaving; // when the thread called exit

static int end(void *arg)
{
	(void)arg;
	prefer(2);
	leaving = now();
	syscall(SYS_exit, 0);
	return 0;
}

static void threads(int cpu)
{
	static long created[ROUNDS], ended[ROUNDS];
	static _Atomic int tid;
	char *stack = mmap(0, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	int n = 0;

	confine(cpu);
	if (stack == MAP_FAILED || prefer(1)) // the runtime of real-time tasks may be 0 here
		return;
	for (; n < ROUNDS; n++) {
		long from;

		usleep(PAUSE);
		tid = 1;
		from = now();
		if (clone(end, stack + STACK,
			  CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
				  CLONE_CHILD_CLEARTID, 0, 0, 0, &tid) < 0)
			break;
		created[n] = now() - from;
		while (tid)
			syscall(SYS_futex, &tid, FUTEX_WAIT, 1, 0, 0, 0);
		ended[n] = now() - leaving;
	}
	print("clone", created, n);
	printf(", ");
	print("exit", ended, n);
	printf(", ");
}

// Signals to a thread that runs.

static _Atomic int delivered, target, over;

static void note(int sig)
{
	(void)sig;
	delivered++;
}

static void *spin(void *cpu)
{
	confine(*(int *)cpu);
	target = syscall(SYS_gettid);
	while (!over)
		;
	return 0;
}

// signals times tgkill to a thread on a CPU. The thread runs there if the sender is on another CPU.
static void signals(const char *name, int from, int to)
{
	static long sent[ROUNDS];
	pthread_t thread;
	int n = 0;

	confine(from);
	target = over = delivered = 0;
	if (pthread_create(&thread, 0, spin, &to))
		exit(1);
	while (!target)
		usleep(PAUSE);
	while (n < ROUNDS) {
		int before = delivered;
		long start;

		usleep(PAUSE);
		start = now();
		syscall(SYS_tgkill, getpid(), target, SIGURG);
		sent[n++] = now() - start;
		for (int wait = 0; delivered == before && wait < 50; wait++)
			usleep(PAUSE); // a signal that is pending is not sent again
	}
	over = 1;
	pthread_join(thread, 0);
	print(name, sent, n);
}

int main(void)
{
	struct sched_param normal = {0};
	struct sigaction act = {.sa_handler = note};
	cpu_set_t set;
	int first = -1, second = -1;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 1;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		if (first < 0)
			first = cpu;
		else if (second < 0)
			second = cpu;
	}
	sigaction(SIGURG, &act, 0);
	printf("{");
	threads(first);
	sched_setscheduler(0, SCHED_OTHER, &normal);
	signals("send_same", first, first);
	if (second >= 0) {
		printf(", ");
		signals("send_other", first, second);
	}
	printf("}\n");
	return 0;
}
