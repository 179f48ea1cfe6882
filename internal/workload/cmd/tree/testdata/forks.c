// Forks in each way that C has: fork without exec, fork, vfork and posix_spawn with an exec of the
// program in the arguments.
#define _GNU_SOURCE
#include <spawn.h>
#include <sys/wait.h>

#include "../../cgotree/work.h"

extern char **environ;

static void await(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		_exit(1);
}

int main(int argc, char **argv)
{
	pid_t pid;

	if (argc < 2)
		return 2;
	pid = fork();
	if (!pid) {
		work("fork", 4);
		_exit(0);
	}
	await(pid);
	pid = fork();
	if (!pid) {
		execv(argv[1], argv + 1);
		_exit(127);
	}
	await(pid);
	pid = vfork();
	if (!pid) {
		execv(argv[1], argv + 1);
		_exit(127);
	}
	await(pid);
	if (posix_spawn(&pid, argv[1], NULL, NULL, argv + 1, environ))
		return 1;
	await(pid);
	work("host", 2);
	return 0;
}
