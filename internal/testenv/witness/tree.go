package witness

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

// Process is the account of a process by an observer of a tree of processes.
type Process struct {
	PID, Parent int32   // Parent made it; that may be another than its parent (CLONE_PARENT)
	Images      []Image // the programs that it ran, in order; at least one
	Ended       bool    // all of its threads have ended

	living int // threads
}

// Image is what a process did while it ran one program.
type Image struct {
	Exe        string  // as the exec named it; "" = the program of the process that made this one
	By         int32   // thread that executed it, by its id before; 0 = none
	Begin, End int64   // End 0 = runs still. StartTrace's clock; both 0 from StartStrace, which has no times
	Created    int     // threads made with CLONE_THREAD
	Births     []int64 // and when
	Exited     int     // threads that called exit(2)
	Killed     int     // threads that ended otherwise, the main thread included: by exit_group, exec or a signal
	SIGURGs    int     // tgkill(SIGURG) calls of its threads
}

// Sum is an Image with what all images of the process did.
func (p *Process) Sum() (sum Image) {
	for _, i := range p.Images {
		sum.Created += i.Created
		sum.Exited += i.Exited
		sum.Killed += i.Killed
		sum.SIGURGs += i.SIGURGs
	}
	return sum
}

// Last is the program that the process ran last.
func (p *Process) Last() *Image { return &p.Images[len(p.Images)-1] }

// Program is the name of an image's file without its folder.
func (i *Image) Program() string { return filepath.Base(i.Exe) }

// treeEvents are the events that make the account of a tree.
var treeEvents = []string{
	"task/task_newtask", "sched/sched_process_exec", "sched/sched_process_exit",
	"syscalls/sys_enter_exit", "syscalls/sys_enter_tgkill",
}

// Tree is a trace instance that follows the descendants of the test process, and nothing else.
type Tree struct {
	*Trace
	threads []int32 // of the test process
}

// StartTree follows every process that the test process starts from now on, and their descendants,
// until Stop.
func StartTree(t testing.TB) *Tree {
	t.Helper()
	tree := &Tree{Trace: startTrace(t, "", traceBufferKiB, treeEvents)}
	// The kernel adds the child of each thread in the list at sched_process_fork, before it runs
	// (kernel/trace/trace_events.c, event_filter_pid_sched_process_fork).
	tree.set("options/event-fork", "1")
	for {
		threads, err := procfs.Self.Threads()
		if err != nil {
			t.Fatal(err)
		}
		added := slices.DeleteFunc(threads, func(tid int32) bool { return slices.Contains(tree.threads, tid) })
		if len(added) == 0 {
			return tree
		}
		tree.follow(added)
		tree.threads = append(tree.threads, added...)
	}
}

// follow adds threads to those whose events are recorded.
func (tree *Tree) follow(threads []int32) {
	tree.t.Helper()
	f, err := os.OpenFile(tree.dir+"/set_event_pid", os.O_WRONLY|os.O_APPEND, 0) // O_TRUNC would empty the list
	if err == nil {
		_, err = fmt.Fprintln(f, strings.Trim(fmt.Sprint(threads), "[]"))
		f.Close()
	}
	if err != nil {
		tree.t.Fatalf("follow threads %v: %v", threads, err)
	}
}

// Stop ends the recording and returns the processes in the order in which they began.
func (tree *Tree) Stop() []*Process {
	tree.t.Helper()
	return accountTree(tree.Trace.Stop(), int32(os.Getpid()), tree.threads)
}

// accountTree makes the accounts of the descendants of a process with these threads.
func accountTree(events []TraceEvent, root int32, threads []int32) (all []*Process) {
	b := treeBook{processes: map[int32]*Process{}, tgid: map[int32]int32{}, exiting: map[int32]bool{}}
	for _, tid := range threads {
		b.tgid[tid] = root
	}
	for _, e := range events {
		if made := b.take(e); made != nil {
			all = append(all, made)
		}
	}
	return all
}

// treeBook keeps the accounts while a trace is read. A process or thread without an entry is no
// descendant.
type treeBook struct {
	processes map[int32]*Process // by tgid; the root, too, has none
	tgid      map[int32]int32    // of each living thread
	exiting   map[int32]bool     // threads that called exit(2)
}

// take enters an event, and returns the process that it made, or nil.
func (b *treeBook) take(e TraceEvent) (made *Process) {
	tgid := b.tgid[e.TID]
	p := b.processes[tgid]
	switch e.Name {
	case "task_newtask":
		return b.newTask(e, tgid)
	case "sched_process_exec":
		b.exec(e)
	case "sys_enter_exit":
		b.exiting[e.TID] = true
	case "sched_process_exit":
		b.exit(e, p)
	case "sys_enter_tgkill":
		if p != nil && e.is("sig", 23) { // SIGURG
			p.Last().SIGURGs++
		}
	}
	return nil
}

func (b *treeBook) newTask(e TraceEvent, maker int32) *Process {
	if maker == 0 {
		return nil
	}
	pid, _ := e.Int("pid")
	child := int32(pid)
	delete(b.exiting, child)
	if flags, _ := e.Int("clone_flags"); flags&cloneThread != 0 {
		b.tgid[child] = maker
		if p := b.processes[maker]; p != nil {
			p.Last().Created++
			p.Last().Births = append(p.Last().Births, e.Time)
			p.living++
		}
		return nil
	}
	b.tgid[child] = child
	p := &Process{PID: child, Parent: maker, living: 1, Images: []Image{{Begin: e.Time}}}
	b.processes[child] = p
	return p
}

// exec begins an image. The thread that executes takes the id of the leader, which has ended before
// (fs/exec.c, de_thread).
func (b *treeBook) exec(e TraceEvent) {
	pid, _ := e.Int("pid")
	by, _ := e.Int("old_pid")
	p := b.processes[int32(pid)]
	if p == nil {
		return
	}
	delete(b.tgid, int32(by))
	b.tgid[p.PID] = p.PID
	p.Last().End = e.Time
	p.Images = append(p.Images, Image{Exe: e.Args["filename"], By: int32(by), Begin: e.Time})
}

func (b *treeBook) exit(e TraceEvent, p *Process) {
	if p != nil {
		if b.exiting[e.TID] {
			p.Last().Exited++
		} else {
			p.Last().Killed++
		}
		if p.living--; p.living == 0 {
			p.Ended, p.Last().End = true, e.Time
			delete(b.processes, p.PID)
		}
	}
	delete(b.exiting, e.TID)
	delete(b.tgid, e.TID)
}
