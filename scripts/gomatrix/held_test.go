package main

import (
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/workload"
)

// heldAccount has two goroutines that are held: 20 in read(2), not locked, and 21 in C, locked.
func heldAccount() *workload.Account {
	return &workload.Account{GoVersion: "go1.26.8", Held: []workload.Held{
		{GoID: 20, Use: "call", Call: "read", Stack: []string{"main.f", "main.g"}},
		{TID: 103, GoID: 21, Depth: 2, Use: "c", Call: "read", Stack: []string{"main.h"}},
	}}
}

func heldList() *threadList {
	l := &threadList{Threads: []listedThread{
		{TID: 101, Role: "sysmon", Lock: "none", Use: ptr("runtime")},
		{TID: 102, Role: "worker", Lock: "none", LockedExt: ptr(uint32(0)), RunningGoID: ptr(int64(20)), Use: ptr("call"),
			Function: ptr("main.f"), Via: ptr("syscall.Read"), Call: ptr("read"),
			Stack: []string{"syscall.Read (syscall.go:5)", "main.f (main.go:7)", "main.g (main.go:9)"}},
		{TID: 103, Role: "worker", Lock: "user", LockedExt: ptr(uint32(2)), GoID: ptr(int64(21)), LockEntry: ptr("main.h"),
			Use: ptr("c"), Function: ptr("main.h"), CFunc: ptr("take_byte"), Call: ptr("read"),
			Stack: []string{"runtime.cgocall", "main.h"}},
		{TID: 104, Role: "worker", Lock: "runtime", LockedExt: ptr(uint32(1)), GoID: ptr(int64(7)),
			LockEntry: ptr(signalEntry), Use: ptr("parked")},
	}}
	l.Target.GoVersion = ptr("go1.26.8")
	return l
}

// TestCompareHeld changes one thing at a time in a list that agrees with its account.
func TestCompareHeld(t *testing.T) {
	for _, c := range []struct {
		name     string
		change   func(l *threadList)
		mislabel bool
		want     string // "" = no problem
	}{
		{"as it is", func(*threadList) {}, false, ""},
		{"function", func(l *threadList) { l.Threads[1].Function = ptr("main.g") }, true, "function main.g, is main.f"},
		{"no function", func(l *threadList) { l.Threads[1].Function = nil }, false, "function unknown, is main.f"},
		{"call", func(l *threadList) { l.Threads[2].Call = ptr("futex") }, true, "call futex, is read"},
		{"use", func(l *threadList) { l.Threads[1].Use = ptr("runs") }, true, "use runs, is call"},
		{"use unknown", func(l *threadList) { l.Threads[0].Use = ptr("unknown") }, false,
			"thread 101: what holds it is unknown"},
		{"C function", func(l *threadList) { l.Threads[2].CFunc = nil }, false, "C function unknown"},
		{"stack", func(l *threadList) { l.Threads[1].Stack = l.Threads[1].Stack[:2] }, false, "the stack ends with"},
		{"its callers not known", func(l *threadList) {
			l.Threads[2].Stack = append(l.Threads[2].Stack, "… its callers are not known")
		}, false, "the stack ends with"},
		{"thread", func(l *threadList) { l.Threads[2].TID = 105 }, true, "on thread 105, is on 103"},
		{"lock", func(l *threadList) { l.Threads[1].Lock = "user" }, true, "lock user, is none"},
		{"depth", func(l *threadList) { l.Threads[2].LockedExt = ptr(uint32(1)) }, true, "locked_ext 1, is 2"},
		{"depth unknown", func(l *threadList) { l.Threads[2].LockedExt = nil }, false, "locked_ext unknown"},
		{"entry", func(l *threadList) { l.Threads[2].LockEntry = ptr("main.g") }, true, "lock entry main.g, is main.h"},
		{"absent", func(l *threadList) { l.Threads = append(l.Threads[:1], l.Threads[2:]...) }, false,
			"goroutine 20 is not in"},
		{"no signals", func(l *threadList) { l.Threads = l.Threads[:3] }, false, "0 goroutines of " + signalEntry},
		{"signals by the user", func(l *threadList) { l.Threads[3].Lock = "user" }, true, "lock user, is runtime"},
		{"warning", func(l *threadList) { l.Warnings = []string{"no stacks"} }, false, "warns: no stacks"},
		{"release", func(l *threadList) { l.Target.GoVersion = ptr("go1.26.7") }, true, "go1.26.7"},
		{"no release", func(l *threadList) { l.Target.GoVersion = nil }, false, "no Go version"},
	} {
		l := heldList()
		c.change(l)
		problems := compareHeld(heldAccount(), l)
		found, mislabel := c.want == "" && len(problems) == 0, false
		for _, p := range problems {
			if strings.Contains(p.text, c.want) {
				found, mislabel = true, p.mislabel
			}
		}
		if !found || mislabel != c.mislabel {
			t.Errorf("%s: %v, want %q, a mislabel: %t", c.name, problems, c.want, c.mislabel)
		}
	}
}
