package goruntime

import (
	"encoding/json"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/testprog"
	"github.com/pinwatch/pinwatch/internal/goruntime/offsets"
)

// TestStopping compares the runtime's account in memory with what the program itself reads of it.
func TestStopping(t *testing.T) {
	for _, goroot := range testprog.Goroots(t) {
		if releaseOf(t, goroot).Minor < 22 {
			checkNoStopping(t, goroot)
			continue
		}
		for _, v := range testprog.Variants {
			if !v.Stripped && v.Name != "plain" {
				continue // the code is the same
			}
			t.Run(filepath.Base(goroot)+"/"+v.Name, func(t *testing.T) {
				checkStopping(t, testprog.Build(t, "testdata/stopping", goroot, v.LDFlags, v.Args...))
			})
		}
	}
}

func checkStopping(t *testing.T, exe string) {
	t.Helper()
	proc, stdin, stdout := testprog.StartPiped(t, exe)
	accounts := json.NewDecoder(stdout)
	next := func() (account map[string]StopTimes) {
		if err := accounts.Decode(&account); err != nil {
			t.Fatal(err)
		}
		return account
	}
	first := next()
	r, err := Open(proc.Pid, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	before, err := r.Stopping()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := io.WriteString(stdin, "\n"); err != nil {
			t.Fatal(err)
		}
		last := next()
		now, err := r.Stopping()
		if err != nil {
			t.Fatal(err)
		}
		stops, err := now.Since(before, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range stops {
			a, b := first[s.Kind], last[s.Kind]
			want := StopTimes{N: b.N - a.N, Least: b.Least - a.Least, Most: b.Most - a.Most}
			s.All.LongestLeast, s.All.LongestMost = 0, 0 // the program's is since its begin
			if s.All != want || s.All.N == 0 {
				t.Errorf("%s: %+v, the program has %+v", s.Kind, s.All, want)
			}
		}
	}
	if _, err := before.Since(before, time.Millisecond); err != nil {
		t.Error(err)
	}
}

// checkNoStopping: earlier releases have no account.
func checkNoStopping(t *testing.T, goroot string) {
	t.Helper()
	proc, _ := startAccount(t, goBuild(t, goroot, ""))
	r, err := Open(proc.Pid, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if s, err := r.Stopping(); err == nil {
		t.Errorf("%s: an account before Go 1.22: %+v", goroot, s)
	}
}

func releaseOf(t *testing.T, goroot string) offsets.Release {
	t.Helper()
	exe := goBuild(t, goroot, "")
	_, want := startAccount(t, exe)
	r, ok := offsets.ParseRelease(want.Version)
	if !ok {
		t.Fatalf("%s: no release: %q", goroot, want.Version)
	}
	return r
}
