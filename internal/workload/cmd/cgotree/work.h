// What processes in C of a tree do.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void *nothing(void *unused)
{
	return unused;
}

// work makes threads, each of which ends by exit(2) before the next is made, and prints the account
// as command tree does.
static void work(const char *program, int threads)
{
	char line[256];
	pthread_t thread;
	int length;

	for (int i = 0; i < threads; i++)
		if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL))
			_exit(1);
	length = snprintf(line, sizeof(line),
			  "{\"pid\":%d,\"parent\":%d,\"program\":\"%s\",\"uid\":%d,\"exited\":%d,\"created\":%d}\n",
			  getpid(), getppid(), program, getuid(), threads, threads);
	if (write(1, line, length) != length) // not by stdio: a fork would copy its buffer
		_exit(1);
}
