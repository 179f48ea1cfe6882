package report_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/pinwatch/pinwatch/internal/report"
)

// threadOf makes a thread; ns is the number of its network namespace.
func threadOf(tid int32, use, function, call, lock string, ns int) report.ListedThread {
	return report.ListedThread{TID: tid, Lock: lock, Held: report.NewHeld(use, function, "via", call, ""),
		Namespaces: map[string]string{"net": fmt.Sprintf("net:[%d]", ns)}}
}

func groupWords(groups []report.ThreadGroup) (words []string) {
	text := func(s *string) string {
		if s == nil {
			return "-"
		}
		return *s
	}
	for _, g := range groups {
		w := fmt.Sprint(g.Threads, " ", text(g.Use), " ", text(g.Function), " ", text(g.Via), " ", text(g.Call), " ",
			text(g.Lock),
			" ", g.Namespaces["net"], " ", g.TIDs)
		if g.Before != nil {
			w += fmt.Sprint(" was ", *g.Before)
		}
		words = append(words, w)
	}
	return words
}

func TestGroupThreads(t *testing.T) {
	threads := []report.ListedThread{
		threadOf(1, "idle", "", "futex", "none", 1), threadOf(2, "call", "main.f", "read", "none", 1),
		threadOf(3, "idle", "", "epoll_pwait", "none", 1), threadOf(4, "call", "main.f", "read", "user", 2),
		threadOf(5, "call", "main.g", "read", "none", 1), threadOf(6, "call", "main.f", "read", "none", 1),
		threadOf(7, "call", "main.f", "write", "none", 1), threadOf(8, "parked", "main.f", "futex", "user", 1),
		threadOf(9, "call", "main.f", "read", "none", 1), threadOf(10, "call", "main.f", "read", "none", 1),
		threadOf(11, "call", "main.f", "read", "none", 1), threadOf(12, "call", "main.f", "read", "none", 1),
	}
	for by, want := range map[string][]string{
		report.ByFunction: {"6 call main.f - read none  [2 6 9 10 11]", "2 idle - - - none  [1 3]",
			"1 call main.f - read user  [4]",
			"1 call main.g - read none  [5]", "1 call main.f - write none  [7]", "1 parked main.f via - user  [8]"},
		report.ByWait: {"8 call - - read -  [2 4 5 6 9]", "2 idle - - - -  [1 3]", "1 call - - write -  [7]",
			"1 parked - via - -  [8]"},
		report.ByLock:      {"10 - - - - none  [1 2 3 5 6]", "2 - - - - user  [4 8]"},
		report.ByNamespace: {"11 - - - - - net:[1] [1 2 3 5 6]", "1 - - - - - net:[2] [4]"},
	} {
		if got := groupWords(report.GroupThreads(threads, by)); !slices.Equal(got, want) {
			t.Errorf("by %s: %q, want %q", by, got, want)
		}
	}
}

func TestMarkChanges(t *testing.T) {
	list := func(threads ...report.ListedThread) *report.ThreadList {
		return report.NewThreadList(report.Target{}, threads, report.ByFunction, nil)
	}
	a, b := threadOf(1, "call", "main.f", "read", "none", 1), threadOf(2, "call", "main.f", "read", "none", 1)
	c, d := threadOf(3, "call", "main.g", "read", "none", 1), threadOf(4, "idle", "", "futex", "none", 1)
	first := list(a, b, c)
	b.Held = report.NewHeld("idle", "", "", "futex", "")
	second := list(a, b, d)
	second.MarkChanges(first)
	changes := ""
	for _, th := range second.Threads {
		if th.Change != nil {
			changes += fmt.Sprint(th.TID, *th.Change, " ")
		}
	}
	if changes != "2changed 4new " || *second.Ended != 1 || first.Ended != nil {
		t.Errorf("changes %q, %d ended", changes, *second.Ended)
	}
	want := []string{"2 idle - - - none  [2 4] was 0", "1 call main.f - read none  [1] was 2",
		"0 call main.g - read none  [] was 1"}
	if got := groupWords(second.Groups); !slices.Equal(got, want) {
		t.Errorf("groups %q, want %q", got, want)
	}
	third := list(a, b, d)
	third.MarkChanges(second)
	want = []string{"2 idle - - - none  [2 4] was 2", "1 call main.f - read none  [1] was 1"}
	if got := groupWords(third.Groups); !slices.Equal(got, want) || *third.Ended != 0 {
		t.Errorf("a group that had gone is back: %q, want %q", got, want)
	}
}
