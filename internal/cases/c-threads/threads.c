#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

extern void goOnce(void);

static void *thread(void *call_go)
{
	if (call_go)
		goOnce();
	for (;;)
		pause();
	return NULL;
}

void start_threads(int n, int call_go)
{
	pthread_t t;

	while (n-- > 0)
		if (pthread_create(&t, NULL, thread, call_go ? &t : NULL))
			abort();
}
