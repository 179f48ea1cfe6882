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
	__u32 from;  // of stack_next_go
	__u64 frame; // where stack_walk goes on
	__u64 call;  // of stack_find_call: where it looks
	__u64 go_text; // and the Go code
	__u64 go_text_size;
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

// The next frame pointer where the one at frame leads to next. On arm64 runtime.asmcgocall, on a system
// stack, saves its stack pointer over that of its caller (runtime/asm_arm64.s). Its frame has 16 bytes,
// and Go keeps the frame pointer 8 bytes below the stack pointer, which is a multiple of 16.
static __always_inline __u64 next_frame(__u64 frame, __u64 next)
{
#if !defined(__TARGET_ARCH_x86)
	if (next == frame + 8)
		return frame + 16;
#endif
	return next;
}

// Frames of a stack that stack_find_call begins; any other begins with one.
#define CALL_FRAMES 2

// Walks on from place->frame. Frames need not ascend: the runtime's chain passes from the system
// stack to the goroutine's, which may lie anywhere (runtime.systemstack). A chain that loops ends
// once it comes to a marked frame again; the mark moves at each doubling of the depth. The function
// is global, as are those below: the verifier follows its loop once, not for every caller's state.
__noinline int stack_walk(__u32 key)
{
	struct stack_place *place = bpf_map_lookup_elem(&stack_places, &key);
	__u64 pair[2], marked = 0, frame;
	struct user_stack *stack;
	__u32 depth;

	if (!place)
		return 0;
	stack = &place->stack;
	frame = place->frame;
	for (depth = stack->depth == CALL_FRAMES ? CALL_FRAMES : 1; depth < MAX_FRAMES; depth++) {
		if (frame < LEAST_FRAME || frame & 7 || frame == marked ||
		    bpf_probe_read_user(pair, sizeof(pair), (void *)frame))
			break;
		stack->pcs[depth] = code_address(pair[1]);
		if (!(depth & (depth - 1)))
			marked = frame;
		frame = next_frame(frame, pair[0]);
	}
	stack->depth = depth;
	stack->unused = 0;
	return 0;
}

static __always_inline bool in_go_text(const struct stack_place *place, __u64 pc)
{
	return pc - place->go_text < place->go_text_size;
}

// Go calls C through runtime.asmcgocall (runtime/asm_amd64.s). It saves the caller's stack pointer at
// the bottom of its frame: itself and a 0 if it was on a system stack, else the depth in the stack
// of g, and that g. Below them is room for registers, 16 bytes since Go 1.22 and 64 before, in which
// they lie first or 40 bytes up. Returns the caller's stack pointer if place->call is the place of
// a return address into that function.
static __always_inline __u64 go_stack_pointer(__u64 call)
{
	__u64 words[7], bounds[2], sp = call + 8;

	if (bpf_probe_read_user(words, sizeof(words), (void *)sp))
		return 0;
	for (__u32 old = 0; old < 2; old++) {
		__u64 saved = words[old ? 5 : 0], g = words[old ? 6 : 1], room = old ? 64 : 16;

		if (!g && saved - (sp + room) < 16)
			return saved;
		// The stack of a g is its first member (runtime/runtime2.go): lo, hi.
		if (g >= LEAST_FRAME && !(g & 7) && saved < 1 << 30 &&
		    !bpf_probe_read_user(bounds, sizeof(bounds), (void *)g) && bounds[1] - saved > bounds[0] &&
		    bounds[1] - saved < bounds[1])
			return bounds[1] - saved;
	}
	return 0;
}

// Begins the stack of a thread in C code at the Go code that called C, if place->call is the place
// of a return address into runtime.asmcgocall: C code keeps no frame pointers. asmcgocall has a
// frame pointer where the assembler gives it one. If it has none, its return address is on top, and
// the next frame is the first that a pair on the stack shows: a frame pointer that leads upwards,
// and a return address into Go code. Returns 0 if there is no such frame.
__noinline int stack_begin_go(__u32 key)
{
	struct stack_place *place = bpf_map_lookup_elem(&stack_places, &key);
	__u64 sp, into = 0, *words;

	if (!place)
		return 0;
	sp = go_stack_pointer(place->call);
	words = place->stack.pcs;
	if (!sp || sp & 7 || bpf_probe_read_user(&into, sizeof(into), (void *)place->call) ||
	    bpf_probe_read_user(words, sizeof(place->stack.pcs), (void *)sp))
		return 0;
	if (in_go_text(place, words[0]))
		into = words[0];
	for (__u32 i = 0; i + 1 < MAX_FRAMES; i++) {
		__u64 at = sp + 8 * i;

		if (!in_go_text(place, words[i + 1]) || words[i] <= at || words[i] - at >= 1 << 16 || words[i] & 7)
			continue;
		place->frame = at;
		words[0] = user_program_counter();
		words[1] = into;
		place->stack.depth = CALL_FRAMES;
		return 1;
	}
	return 0;
}

// Pieces of a stack that are searched for a call of C code, each of MAX_FRAMES words: the C library
// takes up to 2 KiB to make a thread.
#define CALL_PIECES 12

enum { PIECE_WITHOUT, PIECE_FOUND, PIECE_UNREADABLE };

// The first word of a piece, from one on, that is an address of Go code; MAX_FRAMES = there is none,
// -1 = the piece can't be read. What stack_begin_go has left in the place is overwritten.
__noinline int stack_next_go(__u32 key, __u64 piece, __u32 from)
{
	struct stack_place *place = bpf_map_lookup_elem(&stack_places, &key);

	if (!place || bpf_probe_read_user(place->stack.pcs, sizeof(place->stack.pcs), (void *)piece))
		return -1;
	place->from = from;
	for (__u32 i = 0; i < MAX_FRAMES; i++)
		if (in_go_text(place, place->stack.pcs[i]) && i >= *(volatile __u32 *)&place->from)
			return i;
	return MAX_FRAMES;
}

// Searches one piece of the calling thread's stack.
__noinline int stack_find_in_piece(__u32 key, __u32 piece)
{
	struct stack_place *place = bpf_map_lookup_elem(&stack_places, &key);
	__u64 sp = user_stack_pointer() + 8 * MAX_FRAMES * piece;
	__u32 from = 0;

	if (!place)
		return PIECE_UNREADABLE;
	for (__u32 tries = 0; tries < MAX_FRAMES; tries++) {
		int at = stack_next_go(key, sp, from);

		if (at < 0)
			return PIECE_UNREADABLE;
		if (at >= MAX_FRAMES)
			return PIECE_WITHOUT;
		place->call = sp + 8 * at;
		if (stack_begin_go(key))
			return PIECE_FOUND;
		from = at + 1;
	}
	return PIECE_WITHOUT;
}

// Searches the calling thread's stack for Go's call of C code, the innermost one, and begins a stack
// there. Returns 0 if there is none.
__noinline int stack_find_call(__u32 key)
{
	struct stack_place *place = bpf_map_lookup_elem(&stack_places, &key);

	if (!place || !place->go_text_size)
		return 0;
	for (__u32 piece = 0; piece < CALL_PIECES; piece++) {
		int found = stack_find_in_piece(key, piece);

		if (found != PIECE_WITHOUT)
			return found == PIECE_FOUND;
	}
	return 0;
}

// Begins the stack of a thread that may be in C code.
static __always_inline void stack_begin_c(struct stack_place *place, __u32 key)
{
	__u64 frame = user_frame_pointer(), next = 0;

	if (stack_find_call(key))
		return;
	// A frame pointer of C code may hold any value. If it does not lead upwards, there is no stack.
	if (frame < LEAST_FRAME || bpf_probe_read_user(&next, sizeof(next), (void *)frame) || next <= frame)
		frame = 0;
	place->stack.pcs[0] = user_program_counter();
	place->stack.depth = 1;
	place->frame = frame;
}

// Takes the calling thread's stack. NULL = every place is in use. This comes before the record is
// reserved: a thread that is preempted with a reserved record keeps all later ones from the reader.
// Two threads may take a place at the same moment. Each checks its tid there after the walk, and
// again when the stack has been moved. The loser frees the place: after the walk it tries the next
// one, after the move it has no stack. c:
// the thread may be in C code; then rt is its Go runtime.
static __always_inline struct stack_place *stack_take(__u32 tid, bool c, const volatile struct go_runtime *rt)
{
	for (__u32 i = 0; i < STACK_PLACES; i++) {
		__u32 key = i;
		struct stack_place *place = bpf_map_lookup_elem(&stack_places, &key);

		if (!place || place->owner)
			continue;
		*(volatile __u32 *)&place->owner = tid;
		barrier();
		if (c) {
			place->go_text = rt->go_text;
			place->go_text_size = rt->go_text_size;
			stack_begin_c(place, key);
		} else {
			place->stack.pcs[0] = user_program_counter();
			place->stack.depth = 1;
			place->frame = user_frame_pointer();
		}
		stack_walk(key);
		barrier();
		if (*(volatile __u32 *)&place->owner == tid)
			return place;
		place->owner = 0;
	}
	return NULL;
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
