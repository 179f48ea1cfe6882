package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/report"
)

// machines is what the lister asks a goruntime.Runtime.
type machines interface {
	Ms() ([]goruntime.M, error)
	ThreadM(base uint64, tid int32) (goruntime.M, error)
}

// A threadBase is what a thread's g is found by, and only the kernel knows.
type threadBase struct {
	own  int32 // tid in the target's own PID namespace
	base uint64
}

// lister lists the threads of a process.
type lister struct {
	pid      int
	runtime  machines                     // nil: the kernel's side only
	info     *goruntime.Info              // nil with runtime
	function func(pc uint64) string       // nil: functions have no names
	bases    func() ([]threadBase, error) // asks the kernel
}

// looks is how often the process is looked at while there are threads that nothing is known of: one that has just begun, or is
// about to end, has no M for a moment.
const looks = 3

// list returns the rows, sorted, and warnings.
func (l *lister) list(ctx context.Context) (rows []report.ListedThread, warnings []string, err error) {
	nested := len(nsIDs(fmt.Sprintf("/proc/%d", l.pid))) > 1
	for range looks {
		before, err := threadIDs(l.pid)
		if err != nil {
			return nil, nil, err
		}
		k := l.look()
		ts, err := tasks(l.pid, nested)
		if err != nil {
			return nil, nil, err
		}
		k.settle(before, ts)
		rows = rows[:0]
		open := 0
		for i := range ts {
			row := l.row(&ts[i], k)
			if row.Role == goruntime.RoleUnknown || row.Lock == goruntime.LockUnknown {
				open++
			}
			rows = append(rows, row)
		}
		warnings = k.warnings
		if open == 0 || k.blind || ctx.Err() != nil {
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

// known is what the Go runtime says of its threads, by tid in the target's own PID namespace.
type known struct {
	ms       map[int32]goruntime.M
	noM      map[int32]bool // threads whose g is nil
	whole    bool           // ms has every M, and each has a thread
	old      map[int32]bool // by tid in pinwatch's namespace: threads that were there before the runtime was asked
	blind    bool           // looking again would tell no more
	warnings []string
}

// settle compares what the runtime has said with the threads there were before and after.
func (k *known) settle(before []int32, after []task) {
	k.old = make(map[int32]bool, len(before))
	for _, tid := range before {
		k.old[tid] = true
	}
	here := make(map[int32]bool, len(after))
	for i := range after {
		here[after[i].own] = true
	}
	for tid := range k.ms {
		k.whole = k.whole && here[tid] // in a process that forked, the Ms are the parent's
	}
}

// look asks the runtime.
func (l *lister) look() known {
	if l.runtime == nil {
		return known{blind: true}
	}
	k := known{ms: map[int32]goruntime.M{}, noM: map[int32]bool{}}
	ms, err := l.runtime.Ms()
	if errors.Is(err, goruntime.ErrNoAllM) {
		return l.ask(k)
	}
	k.whole = err == nil
	for _, m := range ms {
		if m.TID != 0 {
			k.ms[m.TID] = m
		} else if m.Role != goruntime.RoleCgoExtra {
			k.whole = false // its thread is about to begin, or to end
		}
	}
	switch {
	case errors.Is(err, goruntime.ErrNoOffsets), errors.Is(err, fs.ErrPermission):
		k.blind = true
		if why := l.info.Unknown["Offsets"]; why != nil {
			err = why
		}
		k.warnings = []string{fmt.Sprintf("roles and locks are not known: %v", err)}
	case err != nil:
		k.warnings = []string{fmt.Sprintf("not all roles and locks are known: %v", err)}
	}
	return k
}

// ask finds the M of each thread by what the kernel says of it.
func (l *lister) ask(k known) known {
	threads, err := l.bases()
	if err != nil {
		k.blind = true
		k.warnings = []string{fmt.Sprintf("roles and locks are not known: the program is stripped, so the kernel must be asked, "+
			"which needs CAP_BPF and CAP_PERFMON: %v", err)}
		return k
	}
	for _, t := range threads {
		m, err := l.runtime.ThreadM(t.base, t.own)
		switch {
		case err == nil:
			k.ms[t.own] = m
		case errors.Is(err, goruntime.ErrForeign):
			k.noM[t.own] = true
		case errors.Is(err, goruntime.ErrNoOffsets):
			k.blind = true
			k.warnings = []string{fmt.Sprintf("roles and locks are not known: %v", err)}
			return k
		}
	}
	return k
}

// row joins what the kernel and the runtime say of one thread.
func (l *lister) row(t *task, k known) report.ListedThread {
	row := report.ListedThread{
		TID: t.tid, Name: t.name, Role: goruntime.RoleUnknown, Lock: goruntime.LockUnknown,
		State: &t.state, WChan: t.wchan, CPU: t.cpu, CPUSeconds: t.used, AgeSeconds: t.age,
		Affinity: t.affinity, Nice: t.nice, Policy: t.policy,
	}
	if t.own != 0 {
		row.NSTID = &t.own
	}
	m, ok := k.ms[t.own]
	switch {
	case t.own == 0:
	case ok:
		l.machine(&row, &m)
	case l.foreign(t, k):
		row.Role, row.Lock = roleForeign, goruntime.LockNone
	}
	return row
}

// roleForeign is the role of a thread that has no M because C made it.
const roleForeign = "foreign"

// machine fills in what an M says.
func (l *lister) machine(row *report.ListedThread, m *goruntime.M) {
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
	if m.EntryPC != 0 && l.function != nil {
		if name := l.function(m.EntryPC); name != "" {
			row.LockEntry = &name
		}
	}
}

// foreign reports whether a thread without M certainly is one that C made. One that the runtime is just making has an M without
// thread, one that it is ending has none any more; but that does not sleep outside Go's code.
func (l *lister) foreign(t *task, k known) bool {
	if l.info == nil || !l.info.CGO || l.info.TextStart == 0 || !k.old[t.tid] || !k.whole && !k.noM[t.own] {
		return false
	}
	pc, sleeps := sleepsAt(l.pid, t.tid)
	return sleeps && (pc < l.info.TextStart || pc >= l.info.TextEnd)
}
