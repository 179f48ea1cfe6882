// SPDX-License-Identifier: MIT OR GPL-2.0-only
// stack.h: user stacks by frame pointers.
//
// bpf_get_stack would follow the chain to its end at 0 and take a page fault there for every stack
// of a Go program (arch/x86/events/core.c, perf_callchain_user). It also collects in a per-CPU
// buffer that it leaves before it copies (kernel/bpf/stackmap.c, __bpf_get_stack): a thread that is
// preempted in between gets another thread's stack.
#ifndef PINWATCH_STACK_H
#define PINWATCH_STACK_H

// Where the calling threads of a CPU put the stacks that they walk. A thread that is preempted
// meanwhile keeps its place, and the next one takes another.
#define STACK_PLACES 4

struct stack_place {
	__u32 owner; // tid; 0 = free
	__u32 unused;
	struct user_stack stack;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STACK_PLACES);
	__type(key, __u32);
	__type(value, struct stack_place);
} stack_places SEC(".maps");

// No frame lies below it: vm.mmap_min_addr is a page or more. A read there would fault.
#define LEAST_FRAME 4096

// A return address without its authentication code, which C code on arm64 may add above the
// address, where addresses have 48 bits (arch/arm64/include/asm/pointer_auth.h). The Go compiler
// adds none.
static __always_inline __u64 code_address(__u64 pc)
{
#if defined(__TARGET_ARCH_x86)
	return pc;
#else
	return pc & ((1ULL << 48) - 1);
#endif
}

// Walks the calling thread's user stack. Frames need not ascend: the runtime's chain passes from
// the system stack to the goroutine's, which may lie anywhere (runtime.systemstack). A chain that
// loops ends once it comes to a marked frame again; the mark moves at each doubling of the depth.
// The function is global: the verifier follows its loop once, not for every caller's state.
__noinline int stack_walk(__u32 key)
{
	struct stack_place *place = bpf_map_lookup_elem(&stack_places, &key);
	__u64 pair[2], marked = 0, frame = user_frame_pointer();
	struct user_stack *stack;
	__u32 depth;

	if (!place)
		return 0;
	stack = &place->stack;
	stack->pcs[0] = user_program_counter();
	for (depth = 1; depth < MAX_FRAMES; depth++) {
		if (frame < LEAST_FRAME || frame & 7 || frame == marked ||
		    bpf_probe_read_user(pair, sizeof(pair), (void *)frame))
			break;
		stack->pcs[depth] = code_address(pair[1]);
		if (!(depth & (depth - 1)))
			marked = frame;
		frame = pair[0];
	}
	stack->depth = depth;
	stack->unused = 0;
	return 0;
}

// Takes the calling thread's stack. NULL = every place is in use. This comes before the record is
// reserved: a thread that is preempted with a reserved record keeps all later ones from the reader.
// Two threads may take a place at the same moment. Each checks its tid there after the walk, and
// again when the stack has been moved. The loser frees the place: after the walk it tries the next
// one, after the move it has no stack.
static __always_inline struct stack_place *stack_take(__u32 tid)
{
	for (__u32 i = 0; i < STACK_PLACES; i++) {
		__u32 key = i;
		struct stack_place *place = bpf_map_lookup_elem(&stack_places, &key);

		if (!place || place->owner)
			continue;
		*(volatile __u32 *)&place->owner = tid;
		barrier();
		stack_walk(key);
		barrier();
		if (*(volatile __u32 *)&place->owner == tid)
			return place;
		place->owner = 0;
	}
	return NULL;
}

// The same for a thread in C code, whose frame pointer may hold any value. If it does not lead
// upwards, there is no stack.
static __always_inline struct stack_place *stack_take_c(__u32 tid)
{
	__u64 frame = user_frame_pointer(), next = 0;

	if (frame < LEAST_FRAME || bpf_probe_read_user(&next, sizeof(next), (void *)frame) || next <= frame)
		return NULL;
	return stack_take(tid);
}

static __always_inline void stack_free(struct stack_place *place)
{
	if (place)
		*(volatile __u32 *)&place->owner = 0;
}

// Most stacks have no more frames. The rest of a record is then not touched: its lines are cold.
#define FEW_FRAMES 16

// Moves a stack to its record.
static __always_inline void stack_move(struct user_stack *to, struct stack_place *place, __u32 tid)
{
	if (!place) {
		to->depth = 0;
		to->unused = 0;
		return;
	}
	__builtin_memcpy(to, &place->stack, __builtin_offsetof(struct user_stack, pcs[FEW_FRAMES]));
	if (unlikely(place->stack.depth > FEW_FRAMES))
		__builtin_memcpy(&to->pcs[FEW_FRAMES], &place->stack.pcs[FEW_FRAMES],
				 sizeof(to->pcs) - sizeof(to->pcs[0]) * FEW_FRAMES);
	barrier();
	if (*(volatile __u32 *)&place->owner != tid)
		to->depth = 0;
	stack_free(place);
}

#endif
