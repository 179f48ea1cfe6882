// Package threadlist lists the threads of a process at one moment: a ps of the Go runtime's Ms. It
// joins what the kernel reports of each thread with what the runtime's memory holds of its M. It
// neither stops nor changes the process.
package threadlist

import (
	"cmp"
	"context"
	"slices"

	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/report"
)

// Lister lists the threads of a process.
type Lister struct {
	PID      int
	Runtime  Machines               // nil: the kernel's side only
	Info     *goruntime.Info        // nil with Runtime
	Function func(pc uint64) string // nil: functions have no names

	bases func() ([]threadBase, error) // nil: asks the kernel; tests replace it
}

// Machines reads Ms from the memory of a process. It is a *goruntime.Runtime.
type Machines interface {
	Ms() ([]goruntime.M, error)
	ThreadM(base uint64, tid int32) (goruntime.M, error)
}

// maxReads is the number of reads of the process while some thread has no known M: a thread that
// has just begun, or is about to end, has none for a moment.
const maxReads = 3

// List returns the rows, locked threads first, and warnings.
func (l *Lister) List(ctx context.Context) (rows []report.ListedThread, warnings []string, err error) {
	process := procfs.Process(l.PID)
	status, err := process.Status()
	if err != nil {
		status = procfs.Status{} // the process has ended: so its threads can't be listed
	}
	nested := len(status.NSPID) > 1
	for range maxReads {
		before, err := process.Threads()
		if err != nil {
			return nil, nil, err
		}
		ms := l.readMs()
		tasks, err := readTasks(l.PID, nested)
		if err != nil {
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
		State: &state, WChan: t.wchan, CPU: &t.stat.CPU, CPUSeconds: &used, AgeSeconds: t.age,
		Affinity: t.Affinity, Nice: t.Nice, Policy: t.Policy,
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

// Roles of threads that have no M: C made it, or the kernel did for its own work.
const (
	roleForeign  = "foreign"
	roleIOWorker = "io_worker"
)

// setM fills in the columns of the thread's M.
func (l *Lister) setM(row *report.ListedThread, m *goruntime.M) {
	row.M, row.Role, row.Lock = &m.ID, m.Role, m.Lock
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
		if name := l.Function(m.EntryPC); name != "" {
			row.LockEntry = &name
		}
	}
}

// foreign reports whether a thread without M certainly is one that C made. The runtime creates an M
// before its thread, and frees it before the thread ends; but such a thread does not sleep outside
// Go's code.
func (l *Lister) foreign(t *task, ms runtimeMs) bool {
	if l.Info == nil || !l.Info.CGO || l.Info.TextStart == 0 || !ms.before[t.tid] || !ms.whole && !ms.without[t.nsTID] {
		return false
	}
	call, sleeps := procfs.Thread(l.PID, t.tid).Syscall()
	return sleeps && (call.PC < l.Info.TextStart || call.PC >= l.Info.TextEnd)
}
