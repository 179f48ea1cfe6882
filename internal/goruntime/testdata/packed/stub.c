//go:build ignore

// stub is what a run-time packer leaves: it maps the program at the end of its file into anonymous
// memory and jumps to it. The last 8 bytes of the file are the length of the program, which is static
// and not position independent. Link the stub elsewhere.
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern char **environ;

// set_auxv makes the auxiliary vector that of the program.
static void set_auxv(const Elf64_Ehdr *eh, uint64_t phdr)
{
	char **p = environ;

	while (*p++)
		;
	for (Elf64_auxv_t *av = (void *)p; av->a_type != AT_NULL; av++) {
		if (av->a_type == AT_PHDR)
			av->a_un.a_val = phdr;
		if (av->a_type == AT_PHNUM)
			av->a_un.a_val = eh->e_phnum;
		if (av->a_type == AT_ENTRY)
			av->a_un.a_val = eh->e_entry;
	}
}

static uint64_t map_segment(char *program, const Elf64_Phdr *ph)
{
	uint64_t begin = ph->p_vaddr & ~4095ull, end = (ph->p_vaddr + ph->p_memsz + 4095) & ~4095ull;
	int prot = (ph->p_flags & PF_R ? PROT_READ : 0) | (ph->p_flags & PF_W ? PROT_WRITE : 0) |
		   (ph->p_flags & PF_X ? PROT_EXEC : 0);

	mmap((void *)begin, end - begin, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	memcpy((void *)ph->p_vaddr, program + ph->p_offset, ph->p_filesz);
	mprotect((void *)begin, end - begin, prot);
	return ph->p_vaddr - ph->p_offset;
}

int main(int argc, char **argv)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	off_t end = lseek(fd, 0, SEEK_END) - 8;
	uint64_t size = 0, phdr = 0;
	char *program;
	Elf64_Ehdr *eh;

	if (pread(fd, &size, 8, end) != 8)
		return 1;
	program = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (uint64_t at = 0; at < size;)
		at += pread(fd, program + at, size - at, end - size + at);
	close(fd);
	eh = (void *)program;
	for (int i = 0; i < eh->e_phnum; i++) {
		const Elf64_Phdr *ph = (Elf64_Phdr *)(program + eh->e_phoff) + i;

		if (ph->p_type != PT_LOAD)
			continue;
		uint64_t start = map_segment(program, ph);
		if (ph->p_offset == 0)
			phdr = start + eh->e_phoff;
	}
	set_auxv(eh, phdr);
	uint64_t entry = eh->e_entry;
	char **stack = argv - 1; // argc

	munmap(program, size);
#if defined(__x86_64__)
	__asm__ volatile("mov %0, %%rsp\n xor %%edx, %%edx\n jmp *%1" ::"r"(stack), "r"(entry) : "memory", "rdx");
#elif defined(__aarch64__)
	__asm__ volatile("mov sp, %0\n mov x0, #0\n br %1" ::"r"(stack), "r"(entry) : "memory", "x0");
#endif
	return 0;
}
