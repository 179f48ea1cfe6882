// The main thread ends, and another lives on.
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_t leader;

static void *other(void *arg)
{
	char c;

	pthread_join(leader, 0);
	write(1, "x", 1);
	read(0, &c, 1);
	_exit(0);
}

int main(void)
{
	pthread_t t;

	leader = pthread_self();
	pthread_create(&t, 0, other, 0);
	pthread_exit(0);
}
