// Calls tgkill(SIGURG) with a frame pointer that leads where no frame is: one call for each line of
// its input, which names the case. It writes a line after each.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096
#define HUGE (2 << 20)

static void call_with_frame(uint64_t frame)
{
	long pid = getpid(), tid = gettid();
#if defined(__x86_64__)
	long ret = SYS_tgkill;

	asm volatile("mov %%rbp, %%r8\n\tmov %4, %%rbp\n\tsyscall\n\tmov %%r8, %%rbp"
		     : "+a"(ret)
		     : "D"(pid), "S"(tid), "d"((long)SIGURG), "r"(frame)
		     : "rcx", "r8", "r11", "memory");
#else
	register long x8 asm("x8") = SYS_tgkill, x0 asm("x0") = pid, x1 asm("x1") = tid, x2 asm("x2") = SIGURG;

	asm volatile("mov x9, x29\n\tmov x29, %4\n\tsvc 0\n\tmov x29, x9"
		     : "+r"(x0)
		     : "r"(x8), "r"(x1), "r"(x2), "r"(frame)
		     : "x9", "memory");
#endif
}

static char *pages(size_t length, int protection)
{
	return mmap(NULL, length, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

// A page that only a userfaultfd could fill, and never does.
static char *guarded(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	char *page = pages(PAGE, PROT_READ | PROT_WRITE);

	range.range.start = (uintptr_t)page;
	range.range.len = PAGE;
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &range))
		return NULL;
	return page;
}

// Links frames: each holds the address of the next and a return address, 1 for the first.
static uint64_t chain(uint64_t *at, int step, int n, uint64_t end)
{
	for (int i = 0; i < n; i++, at += step) {
		at[0] = i == n - 1 ? end : (uintptr_t)(at + step);
		at[1] = i + 1;
	}
	return (uintptr_t)(at - n * step);
}

static uint64_t frame_of(const char *name)
{
	static uint64_t memory[4096] __attribute__((aligned(64)));
	uint64_t begin = (uintptr_t)memory;
	char *page;

	if (!strcmp(name, "up"))
		return chain(memory, 4, 5, 0);
	if (!strcmp(name, "down"))
		return chain(memory + 1000, -4, 5, 0);
	if (!strcmp(name, "long"))
		return chain(memory, 4, 1000, 0);
	if (!strcmp(name, "itself"))
		return chain(memory, 4, 1, begin);
	if (!strcmp(name, "loop"))
		return chain(memory, 4, 3, begin);
	if (!strcmp(name, "null"))
		return 0;
	if (!strcmp(name, "small"))
		return 48;
	if (!strcmp(name, "odd"))
		return chain(memory, 4, 5, 0) + 3;
	if (!strcmp(name, "kernel"))
		return 0xffff800000000000;
	if (!strcmp(name, "hole"))
		return 0x8450;
	if (!strcmp(name, "protected"))
		return (uintptr_t)pages(PAGE, PROT_NONE) + 64;
	if (!strcmp(name, "untouched"))
		return (uintptr_t)pages(PAGE, PROT_READ | PROT_WRITE) + 64;
	if (!strcmp(name, "edge")) { // the frame's second word is in the next page, which is not there
		page = pages(2 * PAGE, PROT_READ | PROT_WRITE);
		munmap(page + PAGE, PAGE);
		memset(page, 1, PAGE);
		return (uintptr_t)page + PAGE - 8;
	}
	if (!strcmp(name, "huge")) {
		page = (char *)(((uintptr_t)pages(2 * HUGE, PROT_READ | PROT_WRITE) + HUGE - 1) & -(uintptr_t)HUGE);
		madvise(page, HUGE, MADV_HUGEPAGE);
		memset(page, 0, HUGE);
		return chain((uint64_t *)page, 4, 5, 0);
	}
	if (!strcmp(name, "guarded"))
		return (uintptr_t)guarded();
	return 0;
}

int main(void)
{
	char line[64];

	signal(SIGURG, SIG_IGN);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		uint64_t frame = frame_of(line);

		call_with_frame(frame);
		puts(frame || !strcmp(line, "null") ? line : "refused");
		fflush(stdout);
	}
	return 0;
}
