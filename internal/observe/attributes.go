package observe

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/findings"
	"github.com/pinwatch/pinwatch/internal/procfs"
)

// mostAttributes is how many threads' attributes are read at a window's end. One takes up to 100 µs.
const mostAttributes = 4096

// Attributes are those of the threads that lived after a window's end.
type Attributes struct {
	ByTID  map[int32]procfs.Attributes
	Unread int  // threads beyond mostAttributes
	Hidden bool // namespaces and directories can't be read: that takes CAP_SYS_PTRACE
}

// ReadAttributes reads the attributes of some threads of a process. Where they are not the same in
// all it reads them again and leaves out those that change meanwhile: as when the process is just
// changing its directory.
func ReadAttributes(pid int, tids []int32) Attributes {
	a := Attributes{ByTID: map[int32]procfs.Attributes{}, Unread: max(0, len(tids)-mostAttributes)}
	kinds := map[procfs.Attributes]bool{}
	for _, tid := range tids[:len(tids)-a.Unread] {
		read, err := procfs.ReadAttributes(pid, tid)
		a.Hidden = a.Hidden || errors.Is(err, fs.ErrPermission)
		if err == nil || errors.Is(err, fs.ErrPermission) {
			a.ByTID[tid] = read
			kinds[read] = true
		}
	}
	if len(kinds) < 2 {
		return a
	}
	for tid, read := range a.ByTID {
		if again, _ := procfs.ReadAttributes(pid, tid); again != read {
			delete(a.ByTID, tid)
		}
	}
	return a
}

// Warnings returns why something is not known.
func (a *Attributes) Warnings() (warnings []string) {
	if a.Hidden {
		warnings = append(warnings, "whether threads differ in their namespaces and directories is not known: "+
			"reading that takes CAP_SYS_PTRACE")
	}
	if a.Unread > 0 {
		warnings = append(warnings, fmt.Sprintf("%d threads were not compared with the others: "+
			"no more than %d are read", a.Unread, mostAttributes))
	}
	return warnings
}

// Compared returns the attributes in the form in which they are compared.
func (a *Attributes) Compared() findings.Attributes {
	c := findings.Attributes{ByTID: make(map[int32][]string, len(a.ByTID))}
	for attribute := range procfs.AttributeCount {
		c.Names = append(c.Names, attribute.String())
	}
	for tid, read := range a.ByTID {
		c.ByTID[tid] = read[:]
	}
	return c
}

// attributes reads those of the threads to compare that live after the observation. Between intervals
// there is no time for that.
func (o *observation) attributes(r *correlate.Result) Attributes {
	if r.Interval || !procfs.ShowsOurNamespace() || !o.program.locks() { // which threads may differ is not known
		return Attributes{}
	}
	var tids []int32
	for i := range r.Threads {
		t := &r.Threads[i]
		if pooled, model := findings.InPool(t.Role, t.Lock.State); t.ExitedAt == 0 && (pooled || model) {
			tids = append(tids, t.TID)
		}
	}
	return ReadAttributes(o.target.PID, tids)
}
