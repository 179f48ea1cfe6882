package goruntime

import (
	"debug/buildinfo"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// indirect are the forms of the go statement in which nothing but a function's address is called, up to the given minor release
// of Go. For methods of interfaces it is so in every release: before Go 1.17 the method's own address is where the goroutine begins,
// or that of the wrapper for a method that has no pointer receiver.
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

// TestEntryName compares with what goroutines say, which were started in every way there is.
func TestEntryName(t *testing.T) {
	for _, goroot := range goroots(t) {
		for _, v := range variants {
			if v.race || strings.HasPrefix(v.name, "cgo") {
				continue // adds nothing for a program without C
			}
			t.Run(filepath.Base(goroot)+"/"+v.name, func(t *testing.T) {
				proc, lines := start(t, buildProgram(t, "entries", goroot, v.ldflags, v.args...))
				if !lines.Scan() {
					t.Fatal(lines.Err())
				}
				var told struct {
					Version    string
					Goroutines []struct {
						Form, Func string
						Entry      uint64
					}
				}
				if err := json.Unmarshal(lines.Bytes(), &told); err != nil {
					t.Fatal(err)
				}
				release, ok := ParseRelease(told.Version)
				if !ok {
					t.Fatalf("release %q", told.Version)
				}
				s := processSymbols(t, proc.Pid)
				made := 0
				for _, g := range told.Goroutines {
					want := g.Func
					if indirect[g.Form] >= release.Minor {
						want = s.Name(g.Entry)
					}
					if s.Name(g.Entry) != g.Func {
						made++
					}
					for range 2 { // once more from memory
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
					t.Errorf("%d of %d goroutines began in functions that the compiler made", made, len(told.Goroutines))
				}
			})
		}
	}
}

// What the compiler makes for one architecture, it makes for the other; but Go 1.17, and none before, did so for go statements on
// amd64 only, where it had begun to pass arguments in registers.
func TestEntryNameOtherArchitecture(t *testing.T) {
	for _, goroot := range goroots(t) {
		t.Run(filepath.Base(goroot), func(t *testing.T) {
			entries := make(map[string]map[string]string)
			var release Release
			for _, arch := range []string{"amd64", "arm64"} {
				t.Setenv("GOARCH", arch)
				exe := buildProgram(t, "entries", goroot, "-s -w")
				info, err := buildinfo.ReadFile(exe)
				if err != nil {
					t.Fatal(err)
				}
				release, _ = ParseRelease(info.GoVersion)
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

// wrappers gives EntryName by Name for all the functions in package main that the compiler made.
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
	t.Setenv("PINWATCH_GOROOTS", "")
	s, _ := fileSymbols(t, buildProgram(t, "entries", goroots(t)[0], ""))
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
