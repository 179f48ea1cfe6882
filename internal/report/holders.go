package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// What threads are grouped by.
const (
	ByFunction  = "function"  // function, call and lock: what holds the threads
	ByWait      = "wait"      // call: what they wait for, of whatever function
	ByLock      = "lock"      // who locks them
	ByNamespace = "namespace" // the kernel namespaces they are in
)

// Groupings lists what threads can be grouped by.
var Groupings = []string{ByFunction, ByWait, ByLock, ByNamespace}

// Held is what holds one thread, or each of a group. Nil = not known, or none.
type Held struct {
	Use      *string `json:"use"`
	Function *string `json:"function"`
	Via      *string `json:"via"`
	Call     *string `json:"call"`
	CFunc    *string `json:"c_function"`
}

// NewHeld makes a Held; "" = not known, or none.
func NewHeld(use, function, via, call, cfunc string) Held {
	return Held{Use: known(use), Function: known(function), Via: known(via), Call: known(call), CFunc: known(cfunc)}
}

// ThreadGroup is a number of threads that are held alike. The keys that they were not grouped by
// are nil.
type ThreadGroup struct {
	Threads int  `json:"threads"`
	Before  *int `json:"threads_before"` // of the read before; nil without one
	Held
	WChan      *string           `json:"wchan"`
	Lock       *string           `json:"lock"`
	Namespaces map[string]string `json:"namespaces"`
	TIDs       []int32           `json:"tids"` // the first mostGroupTIDs
}

// mostGroupTIDs is the number of tids of a group.
const mostGroupTIDs = 5

// groupKey is comparable.
type groupKey struct{ use, function, via, call, cfunc, wchan, lock, namespaces string }

// GroupThreads groups threads, the largest group first.
func GroupThreads(threads []ListedThread, by string) []ThreadGroup {
	groups := []ThreadGroup{}
	at := map[groupKey]int{}
	for i := range threads {
		g := groupOf(&threads[i], by)
		key := g.key()
		n, ok := at[key]
		if !ok {
			n = len(groups)
			at[key] = n
			groups = append(groups, g)
		}
		old := &groups[n]
		if old.Threads++; len(old.TIDs) < mostGroupTIDs {
			old.TIDs = append(old.TIDs, threads[i].TID)
		}
	}
	slices.SortStableFunc(groups, func(a, b ThreadGroup) int { return cmp.Compare(b.Threads, a.Threads) })
	return groups
}

// groupOf returns the group of a thread, without threads.
func groupOf(th *ListedThread, by string) ThreadGroup {
	g := ThreadGroup{TIDs: []int32{}}
	use := or(th.Use, unknown)
	switch by {
	case ByLock:
		g.Lock = &th.Lock
		return g
	case ByNamespace:
		g.Namespaces = th.Namespaces
		return g
	case ByFunction:
		g.Lock, g.Function = &th.Lock, th.Function
	}
	g.Use = &use
	switch use {
	case "call", "c", "foreign", unknown: // the others wait for nothing, or in the runtime for work
		g.Call, g.CFunc, g.WChan = th.Call, th.CFunc, th.WChan
	case "parked":
		g.Via = th.Via
	}
	return g
}

func (g *ThreadGroup) key() groupKey {
	return groupKey{or(g.Use, ""), or(g.Function, ""), or(g.Via, ""), or(g.Call, ""), or(g.CFunc, ""), or(g.WChan, ""),
		or(g.Lock, ""), namespaceKey(g.Namespaces)}
}

func namespaceKey(namespaces map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(namespaces)) {
		fmt.Fprintf(&b, "%s=%s ", name, namespaces[name])
	}
	return b.String()
}

func or(s *string, other string) string {
	if s == nil {
		return other
	}
	return *s
}

// Words of a change since the read before.
const (
	ChangeNew     = "new"
	ChangeChanged = "changed"
)

// MarkChanges marks in l what differs from the list read before: new threads, threads that another
// function, call, lock or goroutine holds, and the size of each group. Groups that have gone stay
// in the list with no threads.
func (l *ThreadList) MarkChanges(before *ThreadList) {
	old := map[int32]*ListedThread{}
	for i := range before.Threads {
		old[before.Threads[i].TID] = &before.Threads[i]
	}
	for i := range l.Threads {
		th := &l.Threads[i]
		was := old[th.TID]
		delete(old, th.TID)
		switch {
		case was == nil:
			th.Change = ptr(ChangeNew)
		case held(was) != held(th):
			th.Change = ptr(ChangeChanged)
		}
	}
	ended := len(old)
	l.Ended = &ended
	sizes := map[groupKey]*ThreadGroup{}
	for i := range before.Groups {
		if g := &before.Groups[i]; g.Threads > 0 {
			sizes[g.key()] = g
		}
	}
	for i := range l.Groups {
		g := &l.Groups[i]
		g.Before = ptr(0)
		if was := sizes[g.key()]; was != nil {
			*g.Before = was.Threads
			delete(sizes, g.key())
		}
	}
	for i := range before.Groups { // in their order
		g := before.Groups[i]
		if sizes[g.key()] == &before.Groups[i] {
			g.Threads, g.Before, g.TIDs = 0, ptr(g.Threads), []int32{}
			l.Groups = append(l.Groups, g)
		}
	}
}

// held is what a change of a thread is a change of.
func held(th *ListedThread) string {
	g := groupOf(th, ByFunction)
	k := g.key()
	k.namespaces = namespaceKey(th.Namespaces)
	var goid uint64
	if th.RunningGoID != nil {
		goid = *th.RunningGoID
	}
	return fmt.Sprint(k, goid)
}
