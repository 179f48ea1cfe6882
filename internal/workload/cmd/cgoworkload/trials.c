#define _GNU_SOURCE
#include "trials.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void calledBack(int number, int turn, int tid); // Go

void nothing(void)
{
}

static __thread volatile unsigned char buffer[16 * 64]; // sixteen cache lines

void fill(void)
{
	for (unsigned i = 0; i < sizeof buffer; i += 64)
		buffer[i]++;
}

void compute(int rounds)
{
	volatile uint64_t x = rounds;

	while (rounds-- > 0)
		x = x * 6364136223846793005u + 1442695040888963407u;
}

void take_byte(int fd)
{
	char b;

	while (read(fd, &b, 1) < 0 && errno == EINTR)
		;
}

struct calls {
	int number;
	int times;
};

static void *run(void *arg)
{
	struct calls *c = arg;

	for (int i = 0; i < c->times; i++)
		calledBack(c->number, i, syscall(SYS_gettid));
	return 0;
}

int call_go(int number, int times, int create)
{
	struct calls c = {number, times};
	pthread_t thread;
	int err;

	if (!create) {
		run(&c);
		return 0;
	}
	err = pthread_create(&thread, 0, run, &c);
	if (!err)
		err = pthread_join(thread, 0);
	return err;
}
