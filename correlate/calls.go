package correlate

import (
	"cmp"
	"maps"
	"slices"

	"github.com/pinwatch/pinwatch/events"
)

// callEnd is what SIGURG did to a system call.
type callEnd struct {
	call uint32 // its number
	end  uint8  // events.CallRestarted, CallInterrupted, CallUnknown
	tid  int32  // of the thread; 0 = of those that are not kept apart
}

// callEnds count the calls, and those of them by threads that can run their goroutine only.
type callEnds struct{ n, locked uint64 }

// maxCallEnds bounds what is kept apart.
const maxCallEnds = 4096

// countCallEnd counts the system call that a SIGURG was delivered in.
func (c *Correlator) countCallEnd(t *thread, e *events.Event) {
	w := c.windows.find(e.Time, e.Time)
	if e.Args[events.ArgCallEnd] == 0 || w == nil {
		return
	}
	n := callEnds{n: 1}
	if lockedPart(t.lockKind()) == partTrue {
		n.locked = 1
	}
	w.addCalls(callEnd{uint32(e.Args[events.ArgCall]), uint8(e.Args[events.ArgCallEnd]), t.nsTID}, n)
}

func (l *ledger) addCalls(key callEnd, more callEnds) {
	if _, known := l.calls[key]; !known && len(l.calls) >= maxCallEnds {
		key.tid = 0
	}
	sum := l.calls[key]
	l.calls[key] = callEnds{sum.n + more.n, sum.locked + more.locked}
}

// callRows lists the calls of a ledger, those with most interruptions first.
func callRows(l *ledger) []InterruptedCall {
	rows := map[uint32]*InterruptedCall{}
	for k, n := range l.calls {
		r := rows[k.call]
		if r == nil {
			r = &InterruptedCall{Number: int(k.call)}
			rows[k.call] = r
		}
		switch uint64(k.end) {
		case events.CallInterrupted:
			r.Interrupted += n.n
			r.InterruptedLocked += n.locked
			if k.tid != 0 {
				r.Threads = append(r.Threads, ThreadCalls{k.tid, n.n})
			}
		case events.CallRestarted:
			r.Restarted += n.n
		default:
			r.Unknown += n.n
		}
	}
	var list []InterruptedCall
	for _, number := range slices.Sorted(maps.Keys(rows)) {
		r := rows[number]
		slices.SortFunc(r.Threads, func(a, b ThreadCalls) int {
			return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.TID, b.TID))
		})
		list = append(list, *r)
	}
	slices.SortStableFunc(list, func(a, b InterruptedCall) int {
		return cmp.Or(cmp.Compare(b.Interrupted, a.Interrupted), cmp.Compare(b.Restarted, a.Restarted))
	})
	return list
}
