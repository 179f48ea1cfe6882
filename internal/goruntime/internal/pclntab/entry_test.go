package pclntab

import (
	"debug/buildinfo"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/testprog"
	"github.com/pinwatch/pinwatch/internal/goruntime/offsets"
)

// indirect are the forms of the go statement that call by address, up to the given minor release of
// Go. Methods of interfaces do in every release. Before Go 1.17 such a goroutine begins at the
// address of the method, or of the wrapper for a method without a pointer receiver.
var indirect = map[string]int{
	"function value":                     99,
	"interface method":                   99,
	"interface method with argument":     99,
	"interface method on value":          99,
	"interface method value":             99,
	"closure with variable and argument": 99,
	"closure with argument":              21,
	"method expression":                  17,
}

// TestEntryName compares with the reports of goroutines that were started in every form of the go
// statement.
func TestEntryName(t *testing.T) {
	for _, goroot := range testprog.Goroots(t) {
		for _, v := range testprog.Variants {
			if v.Race || strings.HasPrefix(v.Name, "cgo") {
				continue // the program does not use C
			}
			t.Run(filepath.Base(goroot)+"/"+v.Name, func(t *testing.T) {
				proc, lines := testprog.Start(t, build(t, "entries", goroot, v.LDFlags, v.Args...))
				if !lines.Scan() {
					t.Fatal(lines.Err())
				}
				var reported struct {
					Version    string
					Goroutines []struct {
						Form, Func string
						Entry      uint64
					}
				}
				if err := json.Unmarshal(lines.Bytes(), &reported); err != nil {
					t.Fatal(err)
				}
				release, ok := offsets.ParseRelease(reported.Version)
				if !ok {
					t.Fatalf("release %q", reported.Version)
				}
				s := openProcess(t, proc.Pid)
				made := 0
				for _, g := range reported.Goroutines {
					want := g.Func
					if indirect[g.Form] >= release.Minor {
						want = s.Name(g.Entry)
					}
					if s.Name(g.Entry) != g.Func {
						made++
					}
					for range 2 { // the second time from memory
						if got := s.EntryName(g.Entry); got != want {
							t.Errorf("%s: %q, want %q; begins in %q", g.Form, got, want, s.Name(g.Entry))
						}
					}
				}
				least := 20 // begin in functions that the compiler made
				if release.Minor < 17 {
					least = 3
				}
				if made < least {
					t.Errorf("%d of %d goroutines began in functions that the compiler made", made, len(reported.Goroutines))
				}
			})
		}
	}
}

// TestEntryNameOtherArchitecture: the compiler makes the same functions for both architectures. Go
// 1.17 is the exception: it made functions for go statements on amd64 only, where it had begun to
// pass arguments in registers.
func TestEntryNameOtherArchitecture(t *testing.T) {
	for _, goroot := range testprog.Goroots(t) {
		t.Run(filepath.Base(goroot), func(t *testing.T) {
			entries := make(map[string]map[string]string)
			var release offsets.Release
			for _, arch := range []string{"amd64", "arm64"} {
				t.Setenv("GOARCH", arch)
				exe := build(t, "entries", goroot, "-s -w")
				info, err := buildinfo.ReadFile(exe)
				if err != nil {
					t.Fatal(err)
				}
				release, _ = offsets.ParseRelease(info.GoVersion)
				s, _ := fileSymbols(t, exe)
				entries[arch] = wrappers(t, s)
			}
			least := 10
			if release.Minor <= 17 {
				least = 1
			}
			if release.Minor != 17 && !maps.Equal(entries["amd64"], entries["arm64"]) {
				t.Errorf("amd64 %v, arm64 %v", entries["amd64"], entries["arm64"])
			}
			known := 0
			for name, called := range entries["arm64"] {
				if name != called {
					known++
				}
			}
			if known < least {
				t.Errorf("%d functions made by the compiler name the one they call: %v", known, entries["arm64"])
			}
		})
	}
}

// wrappers returns EntryName by Name for the functions in package main that the compiler made.
func wrappers(t *testing.T, s *Symbols) map[string]string {
	t.Helper()
	names := make(map[string]string)
	for pc, end := s.Text(); pc < end; {
		fn, name := s.named(pc)
		if name == "" {
			t.Fatalf("no function at %#x", pc)
		}
		if fn.isWrapper(name) && strings.HasPrefix(name, "main.") {
			names[name] = s.EntryName(pc)
		}
		pc = fn.end + s.bias
	}
	return names
}

func TestEntryNameOfNothing(t *testing.T) {
	s, _ := fileSymbols(t, build(t, "entries", testprog.Goroot(t), ""))
	for pc := range uint64(3 * maxEntries) {
		if name := s.EntryName(pc); name != "" {
			t.Errorf("%q at %#x", name, pc)
		}
	}
	if len(s.entries) > maxEntries {
		t.Errorf("%d names kept", len(s.entries))
	}
}

func TestCalls(t *testing.T) {
	const entry = 0x1000
	for _, tt := range []struct {
		name, code string
		decode     func([]byte, uint64) ([]call, error)
		want       []call
	}{
		{"call", "\x90\xe8\xfa\xff\x00\x00\xc3", callsAMD64, []call{{at: 0x1001, target: 0x11000}}},
		{"call itself", "\xe8\xfb\xff\xff\xff", callsAMD64, []call{{at: 0x1000, target: 0x1000}}},
		{"jumps inside", "\x74\x02\xeb\xfc\xc3", callsAMD64, nil},
		{"jump away", "\x90\xe9\x00\x00\x00\x00", callsAMD64, []call{{at: 0x1001, target: 0x1006}}},
		{"jump before", "\x75\xf0", callsAMD64, []call{{at: 0x1000, target: 0xff2}}},
		{"call by register", "\xff\xd0\xcc\xcc", callsAMD64, []call{{at: 0x1000, indirect: true}}},
		{"jump by memory", "\xff\x22", callsAMD64, []call{{at: 0x1000, indirect: true}}},
		{"bl", "\x1f\x20\x03\xd5\xff\xff\xff\x97", callsARM64, []call{{at: 0x1004, target: 0x1000}}},
		{"b inside", "\x01\x00\x00\x14\xff\xff\xff\x17", callsARM64, nil},
		{"b away", "\xff\xff\xff\x17", callsARM64, []call{{at: 0x1000, target: 0xffc}}},
		{"blr", "\x40\x03\x3f\xd6", callsARM64, []call{{at: 0x1000, indirect: true}}},
		{"br", "\x40\x03\x1f\xd6", callsARM64, []call{{at: 0x1000, indirect: true}}},
		{"ret", "\xc0\x03\x5f\xd6\x00\x00\x00\x00", callsARM64, nil},
	} {
		got, err := tt.decode([]byte(tt.code), entry)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %+v, %v, want %+v", tt.name, got, err, tt.want)
		}
	}
	if calls, err := callsAMD64([]byte("\x90\xe8\xfa"), entry); err == nil {
		t.Errorf("half an instruction: %+v", calls)
	}
}
