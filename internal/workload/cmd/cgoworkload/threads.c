#define _GNU_SOURCE
#include "threads.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void called(void); // Go

struct start {
	int calls;
	int tid;
	sem_t known;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; // guards what follows
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int at_work;
static int inside; // threads that are in Go

// enter waits until there is work to do.
static void enter(void)
{
	pthread_mutex_lock(&mutex);
	while (!at_work)
		pthread_cond_wait(&changed, &mutex);
	inside++;
	pthread_mutex_unlock(&mutex);
}

static void leave(void)
{
	pthread_mutex_lock(&mutex);
	inside--;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
}

static void *run(void *arg)
{
	struct start *s = arg;
	int calls = s->calls;

	s->tid = syscall(SYS_gettid);
	sem_post(&s->known); // s is invalid from here on
	for (;;) {
		enter();
		if (calls)
			called();
		leave();
		usleep(1000);
	}
	return 0;
}

int start_thread(int calls)
{
	struct start s = {.calls = calls};
	pthread_t thread;
	int err;

	sem_init(&s.known, 0, 0);
	err = pthread_create(&thread, 0, run, &s);
	if (err)
		return -err;
	pthread_detach(thread);
	while (sem_wait(&s.known)) // interrupted by a signal
		;
	return s.tid;
}

void work(int on)
{
	pthread_mutex_lock(&mutex);
	at_work = on;
	pthread_cond_broadcast(&changed);
	while (!on && inside)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
}

void doze(int microseconds)
{
	usleep(microseconds);
}
