//go:build withcgo
// +build withcgo

#define _GNU_SOURCE
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "_cgo_export.h"

static int self(void) { return syscall(SYS_gettid); }

static void start(void *(*f)(void *)) {
	pthread_t t;
	if (pthread_create(&t, 0, f, 0) != 0)
		_exit(1);
}

static void forever(void) {
	for (;;)
		pause();
}

static int made[2];

static void *runForeign(void *unused) {
	int tid = self();
	if (write(made[1], &tid, sizeof tid) != sizeof tid)
		_exit(1);
	forever();
	return 0;
}

void foreign(void) {
	int tid;
	if (pipe(made) != 0)
		_exit(1);
	start(runForeign);
	if (read(made[0], &tid, sizeof tid) != sizeof tid)
		_exit(1);
	goForeign(tid);
}

static int returning[2];

static void *runReturned(void *unused) {
	int msg[2] = {self(), goID()};
	if (write(returning[1], msg, sizeof msg) != sizeof msg)
		_exit(1);
	forever();
	return 0;
}

void returned(void) {
	int msg[2];
	if (pipe(returning) != 0)
		_exit(1);
	start(runReturned);
	if (read(returning[0], msg, sizeof msg) != sizeof msg)
		_exit(1);
	goReturned(msg[0], msg[1]);
}

static void *runExtra(void *unused) { goExtra(); return 0; }
void extra(void) { start(runExtra); }

static void *runExtraLocked(void *unused) { goExtraLocked(); return 0; }
void extraLocked(void) { start(runExtraLocked); }

void nested(void) { goNested(); }
