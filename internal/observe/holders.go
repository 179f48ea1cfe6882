package observe

import (
	"errors"
	"time"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/findings"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/holders"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// Holder is what holds a thread that lives, read after the window's end.
type Holder struct {
	TID        int32
	Role, Lock string // as in goruntime.M
	holders.Holder
}

const (
	// holdersLimit bounds the time of one read of all holders: 10,000 threads take a part of it.
	holdersLimit = 2 * time.Second
	// holdersWindow is the shortest interval after which the holders are read. Shorter ones have no
	// finding that needs them, and the reads would be felt.
	holdersWindow = findings.SurplusWindow
)

// readHolders reads what holds each living thread. It is nil where that can't be known: the program
// can't be read, the process has ended, or the window is a short interval.
func (o *observation) readHolders(r *correlate.Result) ([]Holder, error) {
	if !o.program.locks() || !procfs.ShowsOurNamespace() || o.loop.ended ||
		r.Interval && r.End.Sub(r.Start) < holdersWindow {
		return nil, nil
	}
	threads, err := o.session.ThreadInfos()
	if err != nil {
		return nil, err
	}
	reader := holders.NewReader(o.target.PID, o.program.Runtime, o.program.Symbols)
	reader.Begin(holdersLimit)
	list := make([]Holder, 0, len(threads))
	for _, t := range threads {
		h := Holder{TID: t.TID, Role: goruntime.RoleUnknown, Lock: goruntime.LockUnknown}
		const asleep = true // if not, its call is none
		m, err := o.program.readM(t)
		switch {
		case err == nil:
			h.Holder = reader.Read(t.TID, &m, asleep)
			h.Role, h.Lock = m.Role, m.Lock
			if m.Lock == goruntime.LockUser && o.program.Symbols != nil &&
				goruntime.RuntimeLocks(o.program.Symbols.EntryName(m.EntryPC)) {
				h.Lock = goruntime.LockRuntime
			}
		case errors.Is(err, goruntime.ErrForeign) && o.program.Info.CGO: // else it is one of Go that just begins
			h.Holder, h.Lock = reader.Foreign(t.TID, asleep), goruntime.LockNone
		default:
			h.Use = holders.Unknown
		}
		list = append(list, h)
	}
	return list, nil
}

// held is what findings need of the holders; nil where these were not read.
func (w *Window) held() map[int32]findings.Held {
	if w.Holders == nil {
		return nil
	}
	held := make(map[int32]findings.Held, len(w.Holders))
	for i := range w.Holders {
		h := &w.Holders[i]
		words := unit.Held{Use: h.Use, Function: h.Function, Via: h.Via, Call: h.Call, CFunc: h.CFunc}
		held[h.TID] = findings.Held{
			Idle: h.Use == holders.Idle, Words: words.String(),
			Worker: (h.Role == goruntime.RoleWorker || h.Role == goruntime.RoleMain) && h.Lock == goruntime.LockNone,
		}
	}
	return held
}
