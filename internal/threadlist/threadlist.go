// Package threadlist lists the threads of a process at one moment: a ps of the Go runtime's Ms. It
// joins what the kernel reports of each thread with what the runtime's memory holds of its M. It
// neither stops nor changes the process.
package threadlist

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/holders"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/report"
)

// Lister lists the threads of a process.
type Lister struct {
	PID      int
	Runtime  Machines               // nil: the kernel's side only
	Info     *goruntime.Info        // nil with Runtime
	Function func(pc uint64) string // nil: functions have no names
	// OtherRuntimes: the process has Go runtimes that Runtime is not. A thread without M may be theirs.
	OtherRuntimes bool
	Holders       *holders.Reader // nil: what holds the threads is not read
	// Stacks and Namespaces are in the rows only if asked for: with many threads they are long.
	Stacks, Namespaces bool

	bases func() ([]threadBase, error) // nil: asks the kernel; tests replace it
	ran   map[int32]time.Duration      // CPU time of threads without M, when one list first saw them so
}

// Machines reads Ms from the memory of a process. It is a *goruntime.Runtime.
type Machines interface {
	Ms() ([]goruntime.M, error)
	ThreadM(base uint64, tid int32) (goruntime.M, error)
}

// holdersLimit bounds the time in which the holders of all threads are read: a target could make
// each read take long.
const holdersLimit = 5 * time.Second

// maxReads is the number of reads of the process while some thread has no known M: a thread that
// has just begun, or is about to end, has none for a moment.
const maxReads = 3

const (
	// readsApart is the time between two reads.
	readsApart = 10 * time.Millisecond
	// ranInC is more CPU time than the runtime's threads use while they have no M, at their end: some ten
	// microseconds (runtime.mexit).
	ranInC = 2 * time.Millisecond
)

// List returns the rows, locked threads first, and warnings.
func (l *Lister) List(ctx context.Context) (rows []report.ListedThread, warnings []string, err error) {
	process := procfs.Process(l.PID)
	status, err := process.Status()
	if err != nil {
		status = procfs.Status{} // the process has ended: so its threads can't be listed
	}
	nested := len(status.NSPID) > 1
	var tasks []task
	var ms runtimeMs
	l.ran = map[int32]time.Duration{}
	for i := range maxReads {
		if i > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(readsApart):
			}
		}
		before, err := process.Threads()
		if err != nil {
			return nil, nil, err
		}
		ms = l.readMs()
		if tasks, err = readTasks(l.PID, nested); err != nil {
			return nil, nil, err
		}
		ms.settle(before, tasks)
		rows = rows[:0]
		unknown := 0
		for i := range tasks {
			row := l.row(&tasks[i], ms)
			if row.Role == goruntime.RoleUnknown || row.Lock == goruntime.LockUnknown {
				unknown++
			}
			rows = append(rows, row)
		}
		warnings = ms.warnings
		if unknown == 0 || ms.blind || ctx.Err() != nil {
			break
		}
	}
	if l.Holders != nil {
		l.Holders.Begin(holdersLimit)
		for i := range rows {
			l.hold(&rows[i], &tasks[i], ms)
		}
		warnings = append(warnings, l.Holders.Warnings()...)
	}
	if l.Namespaces {
		warnings = append(warnings, l.readNamespaces(rows)...)
	}
	slices.SortFunc(rows, func(a, b report.ListedThread) int {
		return cmp.Or(cmp.Compare(rank(a.Lock), rank(b.Lock)), cmp.Compare(a.TID, b.TID))
	})
	return rows, warnings, nil
}

// rank puts the threads that LockOSThread holds first.
func rank(lock string) int {
	switch lock {
	case goruntime.LockUser, goruntime.LockExiting, goruntime.LockWedged:
		return 0
	}
	return 1
}

// row joins the kernel's and the runtime's side of one thread.
func (l *Lister) row(t *task, ms runtimeMs) report.ListedThread {
	state, used := string(t.stat.State), t.stat.Used.Seconds()
	row := report.ListedThread{
		TID: t.tid, Name: t.stat.Name, Role: goruntime.RoleUnknown, Lock: goruntime.LockUnknown,
		State: &state, CPU: &t.stat.CPU, CPUSeconds: &used, AgeSeconds: t.age,
		Affinity: t.Affinity, Nice: t.Nice, Policy: t.Policy, Held: report.NewHeld(holders.Unknown, "", "", "", ""),
	}
	if t.nsTID != 0 {
		row.NSTID = &t.nsTID
	}
	m, ok := ms.byTID[t.nsTID]
	switch {
	case t.nsTID == 0:
	case ok && t.stat.State == 'Z':
		// The main thread has ended before the process. Its M stays as it was, but holds no thread.
		row.M, row.Role, row.Lock = &m.ID, m.Role, goruntime.LockNone
	case ok:
		l.setM(&row, &m)
	case t.stat.Flags&procfs.IOWorker != 0:
		row.Role, row.Lock = roleIOWorker, goruntime.LockNone
	case l.foreign(t, ms):
		row.Role, row.Lock = roleForeign, goruntime.LockNone
	}
	return row
}

// hold fills in what holds the thread of a row.
func (l *Lister) hold(row *report.ListedThread, t *task, ms runtimeMs) {
	asleep := strings.IndexByte("SDTt", t.stat.State) >= 0 // a thread that is stopped is where it was asleep before
	var h holders.Holder
	m, ok := ms.byTID[t.nsTID]
	switch {
	case t.stat.State == 'Z':
		h.Use = holders.Ended
	case ok && t.nsTID != 0:
		old := m
		if h = l.Holders.Read(t.tid, &m, asleep); m != old {
			l.setM(row, &m)
		}
	default:
		h = l.Holders.Without(t.tid, asleep, row.Role == roleForeign || row.Role == roleIOWorker)
		if row.Role == roleIOWorker {
			h.Function = holders.IOWorker
		}
	}
	if h.WChan != "" {
		row.WChan = &h.WChan
	}
	row.Held = report.NewHeld(h.Use, h.Function, h.Via, h.Call, h.CFunc)
	if !l.Stacks {
		return
	}
	for _, f := range h.Stack {
		row.Stack = append(row.Stack, correlate.Frame(f).String())
	}
	if len(h.Stack) > 0 && !h.Whole {
		row.Stack = append(row.Stack, "… its callers are not known")
	}
}

// readNamespaces fills in the namespaces of the threads.
func (l *Lister) readNamespaces(rows []report.ListedThread) (warnings []string) {
	var refused error
	n := 0
	for i := range rows {
		namespaces, err := procfs.Thread(l.PID, rows[i].TID).Namespaces()
		rows[i].Namespaces = namespaces
		if errors.Is(err, fs.ErrPermission) {
			refused = err
			n++
		}
	}
	if n > 0 {
		warnings = append(warnings, fmt.Sprintf("the namespaces of %d threads are not known: it takes CAP_SYS_PTRACE, "+
			"or to run as the user of the process: %v", n, refused))
	}
	return warnings
}

// Roles of threads that have no M: C made it, or the kernel did for its own work.
const (
	roleForeign  = "foreign"
	roleIOWorker = "io_worker"
)

// setM fills in the columns of the thread's M.
func (l *Lister) setM(row *report.ListedThread, m *goruntime.M) {
	row.M, row.Role, row.Lock = &m.ID, m.Role, m.Lock
	row.P, row.RunningGoID, row.LockedExt, row.LockedInt = nil, nil, nil, nil
	row.GoID, row.Parked, row.LockEntry = nil, nil, nil
	if m.P >= 0 {
		row.P = &m.P
	}
	if m.CurGoID != 0 {
		row.RunningGoID = &m.CurGoID
	}
	if m.Lock == goruntime.LockUnknown {
		return
	}
	row.LockedExt, row.LockedInt = &m.Ext, &m.Int
	if m.GoID == 0 {
		return
	}
	row.GoID, row.Parked = &m.GoID, &m.Parked
	if m.EntryPC != 0 && l.Function != nil {
		name := l.Function(m.EntryPC)
		if name != "" {
			row.LockEntry = &name
		}
		if row.Lock == goruntime.LockUser && goruntime.RuntimeLocks(name) {
			row.Lock = goruntime.LockRuntime
		}
	}
}

// foreign reports whether a thread without M certainly is one that C made. The runtime creates an M
// before its thread, and frees it before the thread ends; but such a thread does not sleep outside
// Go's code, and does not run for long.
func (l *Lister) foreign(t *task, ms runtimeMs) bool {
	if l.OtherRuntimes {
		return false
	}
	if l.Info == nil || !l.Info.CGO || l.Info.TextStart == 0 || !ms.before[t.tid] || !ms.whole && !ms.without[t.nsTID] {
		return false
	}
	thread := procfs.Thread(l.PID, t.tid)
	call, sleeps, _ := thread.Syscall()
	if !sleeps {
		return l.worked(thread, t.tid)
	}
	return call.PC < l.Info.TextStart || call.PC >= l.Info.TextEnd
}

// worked reports whether a thread that runs without an M has done so for long.
func (l *Lister) worked(thread procfs.Dir, tid int32) bool {
	now, ok := thread.OnCPU()
	before, seen := l.ran[tid]
	if ok && !seen {
		l.ran[tid] = now
	}
	return ok && seen && now-before >= ranInC
}
