// Threads that make and join others from the first line of standard input to the second. It prints
// how many were made, and lives until standard input ends.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { MAKERS = 4 };

static atomic_int stop;
static atomic_long made = MAKERS;

static void *nothing(void *unused)
{
	return unused;
}

static void *maker(void *unused)
{
	pthread_t thread;

	while (!stop) {
		if (pthread_create(&thread, NULL, nothing, NULL))
			continue; // no memory for its stack, for the moment
		made++;
		pthread_join(thread, NULL);
	}
	return unused;
}

int main(void)
{
	pthread_t makers[MAKERS];
	char line[16];

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
