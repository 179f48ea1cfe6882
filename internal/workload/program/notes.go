package program

import (
	"runtime"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// noteSite notes that its caller calls LockOSThread on the next line. Locks before the beginning do
// not count.
func (w *Workload) noteSite() {
	if w.began == 0 {
		return
	}
	var pcs [1]uintptr
	f, _ := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])]).Next()
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.sites {
		if w.sites[i].Function == f.Function && w.sites[i].Line == f.Line+1 {
			w.sites[i].Pins++
			return
		}
	}
	w.sites = append(w.sites, workload.LockSite{Function: f.Function, File: f.File, Line: f.Line + 1, Pins: 1})
}

// noteLock notes a stretch that ends now.
func (w *Workload) noteLock(l workload.Lock) {
	l.To = probe.Now()
	w.mu.Lock()
	if len(w.locks) < workload.MaxKept {
		w.locks = append(w.locks, l)
	}
	w.mu.Unlock()
}

// noteExit notes a thread that has ended because its goroutine exited while locked.
func (w *Workload) noteExit(tid int) {
	w.mu.Lock()
	w.exits++
	if len(w.exitIDs) < workload.MaxKept {
		w.exitIDs = append(w.exitIDs, tid)
	}
	w.mu.Unlock()
}

// removePin removes a pin from the account.
func (w *Workload) removePin(p *Pin) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.pins {
		if w.pins[i] == p {
			w.pins = append(w.pins[:i], w.pins[i+1:]...)
			return
		}
	}
}
