package threadlist

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/pinwatch/pinwatch/internal/goruntime"
)

// runtimeMs is one read of the runtime's Ms. Threads go by their numbers in the target's PID
// namespace, where nothing else is stated.
type runtimeMs struct {
	byTID    map[int32]goruntime.M
	without  map[int32]bool // threads whose g is nil
	whole    bool           // byTID has every M, and each has a thread
	before   map[int32]bool // by tid in pinwatch's namespace: threads that existed before the read
	blind    bool           // another read would give no more
	warnings []string
}

// settle compares the Ms with the threads that existed before the read and after it.
func (ms *runtimeMs) settle(before []int32, after []task) {
	ms.before = make(map[int32]bool, len(before))
	for _, tid := range before {
		ms.before[tid] = true
	}
	living := make(map[int32]bool, len(after))
	for i := range after {
		living[after[i].nsTID] = true
	}
	for tid := range ms.byTID {
		ms.whole = ms.whole && living[tid] // in a process that forked, the Ms are the parent's
	}
}

// readMs reads the runtime's list of Ms.
func (l *Lister) readMs() runtimeMs {
	if l.Runtime == nil {
		return runtimeMs{blind: true}
	}
	ms := runtimeMs{byTID: map[int32]goruntime.M{}, without: map[int32]bool{}}
	list, err := l.Runtime.Ms()
	if errors.Is(err, goruntime.ErrNoAllM) {
		return l.readEachM(ms)
	}
	ms.whole = err == nil
	for _, m := range list {
		if m.TID != 0 {
			ms.byTID[m.TID] = m
		} else if m.Role != goruntime.RoleCgoExtra {
			ms.whole = false // its thread is about to begin, or to end
		}
	}
	switch {
	case errors.Is(err, goruntime.ErrNoOffsets), errors.Is(err, fs.ErrPermission):
		ms.blind = true
		if why := l.Info.Unknown["Offsets"]; why != nil {
			err = why
		}
		ms.warnings = []string{fmt.Sprintf("roles and locks are not known: %v", err)}
	case err != nil:
		ms.warnings = []string{fmt.Sprintf("not all roles and locks are known: %v", err)}
	}
	return ms
}

// readEachM finds the M of each thread by the thread's base, where the program has no symbol for
// the list of Ms.
func (l *Lister) readEachM(ms runtimeMs) runtimeMs {
	bases := l.bases
	if bases == nil {
		bases = func() ([]threadBase, error) { return readBases(l.PID, l.Info) }
	}
	threads, err := bases()
	if err != nil {
		ms.blind = true
		ms.warnings = []string{fmt.Sprintf("roles and locks are not known: the program is stripped, so the "+
			"kernel must be asked, which needs CAP_BPF and CAP_PERFMON: %v", err)}
		return ms
	}
	for _, t := range threads {
		m, err := l.Runtime.ThreadM(t.base, t.nsTID)
		switch {
		case err == nil:
			ms.byTID[t.nsTID] = m
		case errors.Is(err, goruntime.ErrForeign):
			ms.without[t.nsTID] = true
		case errors.Is(err, goruntime.ErrNoOffsets):
			ms.blind = true
			ms.warnings = []string{fmt.Sprintf("roles and locks are not known: %v", err)}
			return ms
		}
	}
	return ms
}
