// SPDX-License-Identifier: MIT OR GPL-2.0-only
// exec.bpf.h: a process executes another program. With many it becomes another target then, and user
// space's orders about targets are carried out here, too.
#ifndef PINWATCH_EXEC_BPF_H
#define PINWATCH_EXEC_BPF_H

// With many: a program whose runtime user space has read of an earlier process, and which has the
// same addresses in every process.
struct known_program {
	__u64 version; // odd while user space writes the rest; 0 = the place is free
	struct file_identity file;
	struct go_runtime runtime;
};

// A program is at the place that its file gives, or at that place's neighbour. User space alone
// writes, by a mapping.
enum known_layout {
	KNOWN_BITS = 9,
	KNOWN_PROGRAMS = 1 << KNOWN_BITS,
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct known_program);
} known_programs SEC(".maps");

static __always_inline void file_identify(struct file_identity *id, const struct file *file)
{
	const struct inode *inode = file->f_inode;

	id->ino = inode->i_ino;
	id->size = inode->i_size;
	inode_ctime(inode, &id->ctime_s, &id->ctime_ns);
	id->dev = inode->i_sb->s_dev;
	id->generation = inode->i_generation;
	id->unused = 0;
}

static __always_inline bool same_file(const struct file_identity *a, const struct file_identity *b)
{
	return a->ino == b->ino && a->size == b->size && a->ctime_s == b->ctime_s && a->ctime_ns == b->ctime_ns &&
	       a->dev == b->dev && a->generation == b->generation;
}

// The place of a program among known_programs; loader/groupmember.go has the same.
static __always_inline __u32 known_place(const struct file_identity *file)
{
	return (file->ino + ((__u64)file->dev << 32)) * 0x9e3779b97f4a7c15ULL >> (64 - KNOWN_BITS);
}

// Copies the runtime of the program at a place, if it is that file's and user space does not write it
// meanwhile.
static __always_inline bool known_copy(struct target *t, const struct file_identity *file, __u32 place)
{
	struct known_program *known = bpf_map_lookup_elem(&known_programs, &place);
	__u64 version;

	if (!known)
		return false;
	version = *(volatile __u64 *)&known->version;
	read_barrier();
	if (!version || version & 1 || !same_file(&known->file, file))
		return false;
	t->runtime = known->runtime;
	read_barrier();
	if (*(volatile __u64 *)&known->version == version)
		return true;
	t->runtime.known = 0;
	return false;
}

// Takes over what is known of a new target's program. No thread of it runs yet.
static __always_inline bool runtime_known(struct target *t, const struct file_identity *file)
{
	__u32 place = known_place(file);

	return known_copy(t, file, place) || known_copy(t, file, place ^ 1);
}

static __always_inline void exec_emit(struct target *t, const struct task_struct *task,
				      const struct linux_binprm *bprm, const struct file_identity *file, __u32 old_tid,
				      __u64 now, __u32 from, __u32 to, __u8 flags)
{
	struct event_exec *e = emit_reserve(t, sizeof(*e), KIND_EXEC, task->pid, now);

	if (!e)
		return;
	e->h.flags = flags;
	e->old_tid = old_tid;
	e->ns_tid = thread_ns_tid(task);
	e->from_slot = from;
	e->to_slot = to;
	e->file = *file;
	bpf_probe_read_kernel_str(e->path, sizeof(e->path), bprm->filename);
	emit_submit(e);
}

// exec has ended all other threads and gives its caller the tid of the process (fs/exec.c,
// de_thread). The old leader's last switch-out may still come.
static __always_inline void leader_replaced(struct target *from, struct target *to, const struct task_struct *task)
{
	if (from->old_leader != (__u64)task && !from->old_leader_tid)
		to->gone_leader = from->old_leader;
	barrier();
	from->old_leader = 0;
	from->old_leader_tid = 0;
}

// The process stays the same target, but nothing is known of the new program's runtime.
static __always_inline void exec_same(struct target *t, const struct task_struct *task,
				      const struct linux_binprm *bprm, const struct file_identity *file, __u32 old_tid)
{
	struct thread_state *state;

	t->runtime_gone = 1;
	state = thread_find(old_tid);
	if (aggregate && state)
		sum_flush(state, old_tid, bpf_ktime_get_ns()); // the sums so far are the old program's
	leader_replaced(t, t, task);
	thread_rename(t, old_tid, task->pid);
	state = thread_get(t, task);
	if (state)
		state->blind = 1;
	exec_emit(t, task, bprm, file, old_tid, bpf_ktime_get_ns(), t->slot, t->slot, 0);
}

// Emits the calling thread's state, as a snapshot would. last: of this exec, which user space must see
// at once: the program must be read while it lives.
static __always_inline void exec_thread_emit(struct target *t, struct task_struct *task,
					     const struct thread_state *state, __u64 now, bool last)
{
	struct event_thread *e = emit_reserve(t, sizeof(*e), KIND_THREAD, task->pid, now);

	if (!e)
		return;
	__builtin_memset((void *)e + sizeof(e->h), 0, sizeof(*e) - sizeof(e->h));
	snapshot_thread(e, t, task, state);
	if (last)
		emit_submit_waking(e);
	else
		emit_submit(e);
}

// The calling thread's run begins anew, as the new target's first.
static __always_inline struct thread_state *exec_begin_run(struct target *to, const struct task_struct *task,
							   __u32 old_tid, __u64 now)
{
	struct cpu_slot *slot = cpu_slot(bpf_get_smp_processor_id());
	struct thread_state *state;

	thread_forget(old_tid);
	thread_forget(task->pid);
	state = thread_begin(to, task);
	if (slot) {
		slot->run_start = now;
		slot->task = (__u64)task;
	}
	return state;
}

// The process becomes another target. Its old one, if it was one, ends. The times tell the records'
// order.
static __always_inline void exec_another(struct target *from, struct task_struct *task,
					 const struct linux_binprm *bprm, const struct file_identity *file,
					 __u32 old_tid, bool followed)
{
	__u32 old_slot = from ? from->slot : NO_SLOT;
	__u8 flags = followed ? EXEC_FOLLOWED : 0;
	struct target *to = slot_take();
	__u64 now = bpf_ktime_get_ns();
	struct thread_state *state;

	if (from)
		exec_thread_emit(from, task, thread_find(old_tid), now, false);
	if (to) {
		if (from)
			leader_replaced(from, to, task);
		to->ns_tgid = thread_ns_tid(task);
		if (runtime_known(to, file))
			flags |= EXEC_KNOWN;
		state = exec_begin_run(to, task, old_tid, now + 1);
		// With watch only what descends from an accepted target is followed, see ORDER_FOLLOW.
		if (!target_begin(to, task->tgid, watch ? followed : follow))
			to = NULL;
	}
	if (from)
		from->gone = 1;
	if (to) {
		exec_emit(to, task, bprm, file, old_tid, now + 1, old_slot, to->slot, flags);
		exec_thread_emit(to, task, state, now + 2, true);
	} else if (from) {
		exec_emit(from, task, bprm, file, old_tid, now + 1, old_slot, NO_SLOT, flags);
	}
}

static __always_inline bool is_followed(__u32 tgid)
{
	const struct process *process = bpf_map_lookup_elem(&processes, &tgid);

	return follow && process && process->followed;
}

SEC("tp_btf/sched_process_exec")
int pw_exec(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	const struct linux_binprm *bprm = (void *)ctx[2];
	struct target *t = target_of(task->tgid);
	bool followed = many && is_followed(task->tgid);
	bool another = many && (watch || followed) && task->tgid != own_tgid && !(task->flags & PF_KTHREAD);
	struct file_identity file;

	if (!another && !t)
		return 0;
	file_identify(&file, bprm->file);
	if (another)
		exec_another(t, task, bprm, &file, ctx[1], followed);
	else
		exec_same(t, task, bprm, &file, ctx[1]);
	return 0;
}

// Orders of user space, which runs the program pw_order itself (BPF_PROG_TEST_RUN): map system calls
// would keep tracepoint programs from running, see struct target.
enum order {
	ORDER_ADD,     // the process becomes a target
	ORDER_FOLLOW,  // the process is followed
	ORDER_RELEASE, // the slot is free
};

// The order, its process and its slot. ORDER_ADD answers with the slot; NO_SLOT = none was free.
__u32 order_kind;
__u32 order_tgid;
__u32 order_slot;

static __always_inline void order_add(void)
{
	struct target *t = target_of(order_tgid);

	if (!t) {
		t = slot_take();
		if (!t)
			return;
		t->preparing = 1;
		if (!target_begin(t, order_tgid, follow))
			return;
	}
	order_slot = t->slot;
}

SEC("raw_tp")
int pw_order(void *ctx)
{
	const struct process followed = {.followed = 1};
	__u32 tgid = order_tgid, slot = order_slot;
	struct process *known;

	switch (order_kind) {
	case ORDER_ADD:
		order_slot = NO_SLOT;
		order_add();
		break;
	case ORDER_FOLLOW:
		known = bpf_map_lookup_elem(&processes, &tgid);
		if (known)
			known->followed = 1;
		else if (bpf_map_update_elem(&processes, &tgid, &followed, BPF_NOEXIST))
			__sync_fetch_and_add(&no_slot, 1);
		break;
	case ORDER_RELEASE:
		bpf_map_push_elem(&free_slots, &slot, 0);
		break;
	}
	return 0;
}

#endif
