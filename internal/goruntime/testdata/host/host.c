//go:build ignore

// host loads the shared objects named on its command line, then waits for the end of its standard input.
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!dlopen(argv[i], RTLD_NOW | RTLD_GLOBAL)) {
			fprintf(stderr, "%s\n", dlerror());
			return 1;
		}
	}
	puts("loaded");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
