// Threads that make and join others from the first line of standard input to the second, or until each
// has made as many as the argument says. After each of that many, SIGURG is sent to the main thread.
// It prints how many were made, and lives until standard input ends.
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAKERS = 4 };

static atomic_int stop;
static atomic_long made = MAKERS;
static long each; // 0 = no limit, and no signal

static void *nothing(void *unused)
{
	return unused;
}

static void *maker(void *unused)
{
	pthread_t thread;

	for (long i = 0; each ? i < each : !stop;) {
		if (pthread_create(&thread, NULL, nothing, NULL))
			continue; // no memory for its stack, for the moment
		i++;
		made++;
		pthread_join(thread, NULL);
		if (each)
			syscall(SYS_tgkill, getpid(), getpid(), SIGURG);
	}
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t makers[MAKERS];
	char line[16];

	each = argc > 1 ? atol(argv[1]) : 0;
	puts("ready");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	for (int i = 0; i < MAKERS; i++)
		if (pthread_create(&makers[i], NULL, maker, NULL))
			return 1;
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	stop = 1;
	for (int i = 0; i < MAKERS; i++)
		pthread_join(makers[i], NULL);
	printf("%ld\n", made);
	fflush(stdout);
	return fgets(line, sizeof(line), stdin) != NULL;
}
