package loader

import (
	"bufio"
	"fmt"
	"os/exec"
	"slices"
	"testing"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// TestHostileStacks takes stacks of a thread whose frame pointer leads to no stack. Each ends, and
// has every frame that is one.
func TestHostileStacks(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	cmd := exec.Command(testenv.CProgram(t, "testdata/stacks.c"))
	in, out := testenv.StartPiped(t, cmd)
	lines := bufio.NewScanner(out)
	lines.Scan() // ready
	s := attachTo(t, cmd.Process.Pid, Config{})
	ring := ringOf(t, s)
	five := []uint64{1, 2, 3, 4, 5}
	for _, c := range []struct {
		name   string
		frames []uint64 // after the first
		more   int      // frames that may follow
	}{
		{name: "up", frames: five},
		{name: "down", frames: five},
		{name: "huge", frames: five},
		{name: "long", frames: five, more: 58},
		{name: "itself", frames: []uint64{1}},
		{name: "loop", frames: []uint64{1, 2, 3}, more: 3},
		{name: "null"}, {name: "small"}, {name: "odd"}, {name: "kernel"}, {name: "hole"}, {name: "protected"},
		{name: "untouched"}, {name: "edge"}, {name: "guarded"},
	} {
		fmt.Fprintln(in, c.name)
		if lines.Scan() && lines.Text() == "refused" { // userfaultfd, by the kernel
			testenv.NotJudged(t, "the kernel refuses the program memory for "+c.name)
		} else if lines.Text() != c.name {
			t.Fatalf("%s: the program answers %q, %v", c.name, lines.Text(), lines.Err())
		}
		var stacks [][]uint64
		if _, err := ring.Drain(1<<62, func(e *events.Event) {
			if e.Kind == events.TgkillEnter {
				stacks = append(stacks, ring.Stacks.PCs(e.Args[events.ArgStack]))
			}
		}); err != nil {
			t.Fatal(err)
		}
		n := len(c.frames)
		if len(stacks) != 1 || len(stacks[0]) < 1+n || len(stacks[0]) > 1+n+c.more ||
			!slices.Equal(stacks[0][1:1+n], c.frames) {
			t.Errorf("%s: stacks %#x, want %v after the first and up to %d more", c.name, stacks, c.frames, c.more)
		}
	}
}
