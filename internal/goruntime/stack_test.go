package goruntime

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/testprog"
	"github.com/pinwatch/pinwatch/internal/goruntime/offsets"
	"github.com/pinwatch/pinwatch/internal/procfs"
)

// stackBuilds are the builds of testdata/stacks to read.
var stackBuilds = []struct {
	name, ldflags string
	args          []string
}{
	{name: "plain"},
	{name: "pie", args: []string{"-buildmode=pie"}},
	{name: "trimpath, no DWARF", ldflags: "-w", args: []string{"-trimpath"}},
	{name: "cgo", args: []string{"-tags=withcgo"}},
}

// TestStacks compares the stacks of goroutines with those that the runtime writes of itself.
func TestStacks(t *testing.T) {
	for _, goroot := range testprog.Goroots(t) {
		for _, b := range stackBuilds {
			t.Run(filepath.Base(goroot)+"/"+b.name, func(t *testing.T) {
				exe := testprog.Build(t, "testdata/stacks", goroot, b.ldflags, b.args...)
				p := startStacks(t, exe)
				var problems []string
				for deadline := time.Now().Add(20 * time.Second); ; {
					if problems = p.compare(t); problems == nil || time.Now().After(deadline) {
						break
					}
				}
				for i := 0; i < 50 && problems == nil; i++ {
					problems = p.compare(t)
				}
				if problems != nil {
					t.Error(strings.Join(problems, "\n"))
				}
			})
		}
	}
}

// stacksProcess is a process of testdata/stacks.
type stacksProcess struct {
	pid     int
	r       *Runtime
	stacks  *StackReader
	release offsets.Release
	want    map[uint64][]string // calls by goid, from the runtime
}

func startStacks(t *testing.T, exe string, args ...string) *stacksProcess {
	t.Helper()
	proc, _, stdout := testprog.StartPiped(t, exe, args...)
	var account struct{ Version, Stacks string }
	if err := json.NewDecoder(stdout).Decode(&account); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proc.Kill() }) // it may not be able to end by itself
	p := &stacksProcess{pid: proc.Pid, r: openMs(t, proc.Pid), want: parseStacks(account.Stacks)}
	p.release, _ = offsets.ParseRelease(account.Version)
	symbols, err := p.r.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	if p.stacks, err = p.r.Stacks(symbols); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *stacksProcess) ms(t *testing.T) []M {
	t.Helper()
	ms, err := p.r.Ms()
	if err != nil {
		t.Fatal(err)
	}
	return ms
}

// compare returns the differences between the stacks that are read and those of the runtime.
func (p *stacksProcess) compare(t *testing.T) (problems []string) {
	read := map[uint64]bool{}
	for _, m := range p.ms(t) {
		if m.G == 0 || m.TID == 0 {
			continue
		}
		call, _, _ := procfs.Thread(p.pid, m.TID).Syscall()
		g, err := p.stacks.Read(&m, Registers{SP: call.SP, PC: call.PC})
		if err != nil {
			problems = append(problems, fmt.Sprintf("thread %d: %v", m.TID, err))
			continue
		}
		want, ok := p.want[g.ID]
		if got := callsOf(g.Frames); ok && g.ID != 1 && (!slices.Equal(got, want) || !g.Whole) {
			problems = append(problems, fmt.Sprintf("goroutine %d, whole %t: %q\nwant %q", g.ID, g.Whole, got, want))
		}
		read[g.ID] = true
	}
	for id := range p.want {
		if !read[id] && id != 1 {
			problems = append(problems, fmt.Sprintf("goroutine %d was not read", id))
		}
	}
	return problems
}

// hidden are functions that the runtime leaves out of its stacks, or that only it has.
var hidden = regexp.MustCompile(`^runtime[./]|^internal/runtime/|^internal/sync\.|_cgoexp_|^runtime_|` +
	`\.abi0$|^crosscall|^cgo`)

// callsOf writes calls as parseStacks does.
func callsOf(frames []Frame) (calls []string) {
	for _, f := range frames {
		if !hidden.MatchString(f.Func) {
			calls = append(calls, f.Func+" "+filepath.Base(f.File)+":"+strconv.Itoa(f.Line))
		}
	}
	return calls
}

// parseStacks parses the result of runtime.Stack: the calls of each goroutine, the innermost first,
// without those of the runtime.
func parseStacks(text string) map[uint64][]string {
	stacks := map[uint64][]string{}
	for _, block := range strings.Split(text, "\n\n") {
		lines := strings.Split(strings.TrimSpace(block), "\n")
		id, err := strconv.ParseUint(strings.Fields(lines[0])[1], 10, 64)
		if err != nil {
			continue
		}
		stacks[id] = nil
		for i := 1; i+1 < len(lines); i += 2 {
			name, _, call := cutLast(lines[i], "(")
			if strings.HasPrefix(lines[i], "created by ") {
				break
			}
			if !call || hidden.MatchString(name) {
				continue
			}
			place, _, _ := strings.Cut(strings.TrimSpace(lines[i+1]), " ")
			stacks[id] = append(stacks[id], name+" "+filepath.Base(place))
		}
	}
	return stacks
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// TestStacksRunning reads goroutines that run, are preempted and call the kernel unknown to the
// scheduler.
func TestStacksRunning(t *testing.T) {
	for _, goroot := range testprog.Goroots(t) {
		t.Run(filepath.Base(goroot), func(t *testing.T) {
			p := startStacks(t, testprog.Build(t, "testdata/stacks", goroot, ""), "spin")
			seen := map[string]int{}
			want := []string{"raw in the kernel", "spin runs"}
			if p.release.Minor >= 14 {
				want = append(want, "spin preempted")
			}
			enough := func() bool {
				return !slices.ContainsFunc(want, func(s string) bool { return seen[s] < 3 })
			}
			for deadline := time.Now().Add(30 * time.Second); !enough() && time.Now().Before(deadline); {
				p.countRunning(t, seen)
			}
			if t.Log(seen); !enough() {
				t.Errorf("seen %v, want %q", seen, want)
			}
		})
	}
}

func (p *stacksProcess) countRunning(t *testing.T, seen map[string]int) {
	t.Helper()
	for _, m := range p.ms(t) {
		if m.G == 0 || m.TID == 0 || p.want[m.CurGoID] != nil || p.want[m.GoID] != nil {
			continue
		}
		call, in, _ := procfs.Thread(p.pid, m.TID).Syscall()
		g, err := p.stacks.Read(&m, Registers{SP: call.SP, PC: call.PC})
		if err != nil {
			continue
		}
		calls := strings.Join(callsOf(g.Frames), " ")
		switch {
		case g.InCall || g.ID == 1: // the main goroutine reads its input
		case g.Parked && strings.HasPrefix(calls, "main.spin "):
			seen["spin preempted"]++
			if !g.Whole || g.Frames[len(g.Frames)-1].Func == "main.spin" {
				t.Errorf("a part of a stack: %q", calls)
			}
		case g.Frames == nil:
			seen["spin runs"]++
		case in && strings.Contains(calls, "main.raw ") && g.Whole:
			seen["raw in the kernel"]++
		default:
			seen[fmt.Sprintf("other: %t %t %q", in, g.Parked, calls)]++
		}
	}
}
