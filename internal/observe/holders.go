package observe

import (
	"errors"
	"time"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/findings"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/holders"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// Holder is what holds a thread that lived at the window's end and lives.
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

// allHolders are those of one moment.
type allHolders struct {
	at       events.Time
	list     []Holder
	warnings []string
}

// holders reads what holds the threads whose Ms were read at the window's end. There are none where
// the program can't be read, the process has ended, or the window is a short interval. The last
// interval and the whole observation end at one moment.
func (o *observation) holders(r *correlate.Result) allHolders {
	switch {
	case o.loop.ms == nil, o.loop.ended, r.Interval && r.End.Sub(r.Start) < holdersWindow:
		return allHolders{}
	case o.held.at != r.End:
		o.held = o.readHolders()
		o.held.at = r.End
	}
	return o.held
}

func (o *observation) readHolders() (all allHolders) {
	reader := holders.NewReader(o.target.PID, o.program.Runtime, o.program.Symbols)
	reader.Begin(holdersLimit)
	all.list = make([]Holder, 0, len(o.loop.ms))
	for _, r := range o.loop.ms {
		h := Holder{TID: r.nsTID, Role: goruntime.RoleUnknown, Lock: goruntime.LockUnknown}
		const asleep = true // if not, its call is none
		if r.err == nil {
			m := r.m
			h.Holder = reader.Read(r.nsTID, &m, asleep)
			h.Role, h.Lock = m.Role, m.Lock
			if m.Lock == goruntime.LockUser && o.program.Symbols != nil &&
				goruntime.RuntimeLocks(o.program.Symbols.EntryName(m.EntryPC)) {
				h.Lock = goruntime.LockRuntime
			}
		} else {
			foreign, ofKernel := errors.Is(r.err, goruntime.ErrForeign), false
			if foreign {
				stat, err := procfs.Thread(o.target.PID, r.nsTID).Stat()
				ofKernel = err == nil && stat.Flags&procfs.IOWorker != 0
				foreign = ofKernel || o.program.Info.CGO // else it is one of Go that just begins
			}
			if h.Holder = reader.Without(r.nsTID, asleep, foreign); foreign {
				h.Lock = goruntime.LockNone
			}
			if ofKernel {
				h.Function = holders.IOWorker
			}
		}
		if h.Use != holders.Ended {
			all.list = append(all.list, h)
		}
	}
	all.warnings = reader.Warnings()
	return all
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
