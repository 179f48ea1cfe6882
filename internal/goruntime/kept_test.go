package goruntime

import (
	"errors"
	"os"
	"reflect"
	"testing"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/testprog"
)

// TestKeep: a program is described by its file as by a process, but for what only that has.
func TestKeep(t *testing.T) {
	for _, goroot := range testprog.Goroots(t) {
		for _, args := range []struct{ ldflags, tags string }{{"", "-tags=x"}, {"-s -w", "-tags=x"}} {
			exe := goBuild(t, goroot, args.ldflags, args.tags)
			proc, want := startAccount(t, exe)
			live := mustOpen(t, proc.Pid, Options{})
			file, err := live.Executable()
			if err != nil {
				t.Fatal(err)
			}
			kept, err := Keep(file, live.Exe, Options{})
			if err != nil {
				t.Fatal(err)
			}
			live.Close()
			r := kept.Open(proc.Pid)
			info := live.Info
			info.GOMAXPROCS, info.SignalMasks = 0, nil
			r.Unknown, info.Unknown = keysOf(r.Unknown), keysOf(info.Unknown)
			info.Unknown["GOMAXPROCS"] = nil
			if !reflect.DeepEqual(r.Info, info) {
				t.Errorf("%s %v: %+v\nwant %+v", want.Version, args, r.Info, info)
			}
			if kept.Symbols == nil || kept.Symbols.EntryName(want.Main) != "main.main" {
				t.Errorf("%s %v: main.main has no name", want.Version, args)
			}
			for name, read := range map[string]func() error{
				"GOMAXPROCS": func() error { _, err := r.GOMAXPROCSNow(); return err },
				"stopping":   func() error { _, err := r.Stopping(); return err },
				"Ms":         func() error { _, err := r.Ms(); return err },
			} {
				if read() == nil {
					t.Errorf("%s: %s of a process without memory", want.Version, name)
				}
			}
			r.OtherRuntimes()
			if _, err := r.Plugins(); err != nil {
				t.Error(err)
			}
			r.Close()
			if kept.Symbols.EntryName(want.Hold) != "main.hold" { // the file is the Kept's
				t.Error("Close of a Runtime closed the file")
			}
			if err := kept.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func keysOf(m map[string]error) map[string]error {
	keys := map[string]error{}
	for k := range m {
		keys[k] = nil
	}
	return keys
}

// TestKeepNot: what has other addresses in each process is not kept, and what is no Go program.
func TestKeepNot(t *testing.T) {
	for exe, want := range map[string]error{
		goBuild(t, testprog.Goroot(t), "", "-buildmode=pie"): errRelocated,
		gcc(t, "-no-pie"): ErrNotGo,
	} {
		f, err := os.Open(exe)
		if err != nil {
			t.Fatal(err)
		}
		if k, err := Keep(f, exe, Options{}); !errors.Is(err, want) || k != nil {
			t.Errorf("%v, want %v", err, want)
		}
		f.Close()
	}
}
