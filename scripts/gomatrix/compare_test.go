package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/workload"
)

func read(t *testing.T, name string, v any) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func ptr[T any](v T) *T { return &v }

// find returns the live thread of the report.
func find(t *testing.T, r *report, tid int) *thread {
	t.Helper()
	for i := range r.Threads {
		if r.Threads[i].TID == tid && r.Threads[i].ExitNS == nil {
			return &r.Threads[i]
		}
	}
	t.Fatalf("no thread %d", tid)
	return nil
}

// TestCompare changes one thing at a time in a report that agrees with its account. Main is 100,
// sysmon 101, template 102, pins 103 (goroutine 20, depth 2) and 104 (21, 1), idle 105; 106 exited,
// and its id was used again and exited again.
func TestCompare(t *testing.T) {
	for _, c := range []struct {
		name     string
		change   func(*report, *workload.Account)
		mislabel bool
		want     string // "" = no problem
	}{
		{"as it is", func(*report, *workload.Account) {}, false, ""},
		{"wrong goid", func(r *report, _ *workload.Account) { find(t, r, 103).GoID = ptr(int64(21)) }, true,
			"goid 21, is 20"},
		{"wrong depth", func(r *report, _ *workload.Account) { find(t, r, 103).LockedExt = ptr(uint32(1)) }, true,
			"locked_ext 1, is 2"},
		{"missing lock", func(r *report, _ *workload.Account) { find(t, r, 104).Lock = "none" }, true, "lock none, is user"},
		{"unknown lock", func(r *report, _ *workload.Account) { find(t, r, 104).Lock = "unknown" }, false,
			"lock unknown, is user"},
		{"unknown goid", func(r *report, _ *workload.Account) { find(t, r, 104).GoID = nil }, false, "goid unknown, is 21"},
		{"false lock", func(r *report, _ *workload.Account) { find(t, r, 105).Lock = "user" }, true, "lock user, is none"},
		{"false depth", func(r *report, _ *workload.Account) { find(t, r, 105).LockedExt = ptr(uint32(1)) }, true,
			"locked_ext 1, is 0"},
		{"lock of the runtime's", func(r *report, _ *workload.Account) { find(t, r, 101).LockedInt = ptr(uint32(1)) }, true,
			"locked_int 1, is 0"},
		{"goid of no goroutine", func(r *report, _ *workload.Account) { find(t, r, 105).GoID = ptr(int64(20)) }, true,
			"not locked"},
		{"exit not locked", func(r *report, _ *workload.Account) { r.Threads[6].Lock = "none" }, true,
			"thread 106: lock none, is exiting"},
		{"exit of no thread", func(r *report, _ *workload.Account) { r.Threads[6].TID = 107 }, true,
			"thread 107 did not exit"},
		{"wedged", func(r *report, a *workload.Account) { find(t, r, 100).Lock, a.WedgedTID = "wedged", 100 }, false, ""},
		{"wedged unseen", func(_ *report, a *workload.Account) { a.WedgedTID = 100 }, true, "lock none, is wedged"},
		{"no sysmon", func(r *report, _ *workload.Account) { find(t, r, 101).Role = "worker" }, false, "no thread is sysmon"},
		{"two sysmons", func(r *report, _ *workload.Account) { find(t, r, 105).Role = "sysmon" }, true,
			"2 threads are sysmon"},
		{"two template threads", func(r *report, _ *workload.Account) { find(t, r, 105).Role = "template" }, true,
			"2 template threads"},
		{"no template thread", func(r *report, _ *workload.Account) { find(t, r, 102).Role = "worker" }, false,
			"no template thread"},
		{"pinned sysmon", func(r *report, _ *workload.Account) {
			find(t, r, 101).Role, find(t, r, 103).Role = "worker", "sysmon"
		}, true, "thread 103: role sysmon"},
		{"two mains", func(r *report, _ *workload.Account) { find(t, r, 105).Role = "main" }, true, "main thread is 100"},
		{"no main", func(r *report, _ *workload.Account) { find(t, r, 100).Role = "worker" }, true, "main thread is 100"},
		{"foreign", func(r *report, _ *workload.Account) { find(t, r, 105).Role = "foreign" }, true, "role foreign"},
		{"unknown role", func(r *report, _ *workload.Account) { find(t, r, 105).Role = "unknown" }, false, "role unknown"},
		{"missing thread", func(r *report, _ *workload.Account) { find(t, r, 105).TID = 109 }, false,
			"thread 105 is not in the report"},
		{"younger thread", func(_ *report, a *workload.Account) { a.Threads = a.Threads[:5] }, false, ""},
		{"exits", func(r *report, _ *workload.Account) { r.Counts.Exited = 3 }, true, "3 threads exited, the account has 2"},
		{"locked exits", func(r *report, _ *workload.Account) { r.Counts.ExitedLocked = ptr(uint64(1)) }, true,
			"1 threads exited while locked"},
		{"unknown exits", func(r *report, _ *workload.Account) { r.Counts.ExitedLocked = nil }, false, "not known how many"},
		{"locked threads", func(r *report, _ *workload.Account) { r.Counts.Locked = ptr(uint64(3)) }, true,
			"3 threads are locked"},
		{"99 % known", func(r *report, _ *workload.Account) { *r.Locks = lockShare{1000, 10} }, false, ""},
		{"low known share", func(r *report, _ *workload.Account) { *r.Locks = lockShare{1000, 11} }, false,
			"98.90 % of 1000"},
		{"no observation", func(r *report, _ *workload.Account) { *r.Locks = lockShare{} }, false, "0.00 % of 0"},
		{"no lock state", func(r *report, _ *workload.Account) { r.Locks = nil }, false, "no lock state"},
		{"lossy", func(r *report, _ *workload.Account) { r.Loss.Late = 1 }, false, "losses"},
		{"lossy lower bound", func(r *report, _ *workload.Account) { r.Loss.Total, r.Counts.Exited = 1, 1 }, false,
			"1 threads exited, the account has 2"},
		{"lossy but too many", func(r *report, _ *workload.Account) { r.Loss.Total, r.Counts.Exited = 1, 3 }, true,
			"3 threads exited"},
		{"another release", func(r *report, _ *workload.Account) { r.Target.GoVersion = ptr("go1.25.1") }, true,
			"go1.25.1, is go1.26.8"},
		{"cgo without pins", func(r *report, a *workload.Account) { // the template thread is runtime.main's
			r.Target.Cgo, a.Pins, a.LockedExits, a.LockedExitTIDs = ptr(true), nil, 0, nil
			r.Counts.Exited, r.Counts.ExitedLocked, r.Counts.Locked = 0, ptr(uint64(0)), ptr(uint64(0))
			r.Threads = r.Threads[:6]
			for _, tid := range []int{103, 104} {
				*find(t, r, tid) = thread{TID: tid, Role: "worker", Lock: "none", LockedExt: new(uint32), LockedInt: new(uint32)}
			}
		}, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var a workload.Account
			var r report
			read(t, "testdata/account.json", &a)
			read(t, "testdata/report.json", &r)
			c.change(&r, &a)
			problems := compare(&a, &r)
			if c.want == "" {
				if len(problems) != 0 {
					t.Errorf("problems of a report that is right: %v", problems)
				}
				return
			}
			mislabel, text := false, ""
			for _, p := range problems {
				mislabel = mislabel || p.mislabel
				text += p.String() + "\n"
			}
			if mislabel != c.mislabel || !strings.Contains(text, c.want) {
				t.Errorf("problems:\n%swant %q, mislabel %t", text, c.want, c.mislabel)
			}
		})
	}
}
