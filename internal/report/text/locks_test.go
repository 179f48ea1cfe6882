package text

import (
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/report"
)

// TestLockedForSignals: the thread that the runtime itself locks is named, and only that.
func TestLockedForSignals(t *testing.T) {
	entry, one, none, exit := "runtime.ensureSigM.func1", uint32(1), uint32(0), int64(7)
	own := report.Thread{TID: 41, Lock: "runtime", LockedExt: &one, LockEntry: &entry}
	ended := own
	ended.ExitNS = &exit
	for name, c := range map[string]struct {
		th   report.Thread
		want bool
	}{
		"for signals":      {own, true},
		"ended":            {ended, false},
		"while C calls Go": {report.Thread{TID: 41, Lock: "runtime", LockedExt: &none}, false},
		"the program's":    {report.Thread{TID: 41, Lock: "user", LockedExt: &one}, false},
	} {
		p := newPage(Options{})
		p.locked(&report.Report{Threads: []report.Thread{c.th}, Locks: report.Locks{Observations: 1}})
		var text strings.Builder
		if err := p.write(&text); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(text.String(), "thread 41 is locked by "+entry); got != c.want {
			t.Errorf("%s: named %v, want %v:\n%s", name, got, c.want, text.String())
		}
	}
}
