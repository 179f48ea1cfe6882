package text_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/reporttest"
	"github.com/pinwatch/pinwatch/internal/report/text"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

func listText(t *testing.T, l *report.ThreadList, o text.ListOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := text.WriteThreadList(&b, l, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestThreadListText(t *testing.T) {
	for name, l := range reporttest.Lists() {
		groups := l.GroupedBy != report.ByFunction
		without := listText(t, l, text.ListOptions{Groups: groups})
		testenv.Golden(t, "testdata/"+name+".golden", []byte(without))
		if got := escape.ReplaceAllString(listText(t, l, text.ListOptions{Options: text.Options{Color: true},
			Groups: groups}), ""); strings.ReplaceAll(got, " \n",
			"\n") != without {
			t.Errorf("%s: without its escapes the coloured list differs:\n%s", name, got)
		}
		for _, width := range []int{1, 20, 40, 60, 80, 99, 100} {
			for line := range strings.Lines(listText(t, l, text.ListOptions{Options: text.Options{Width: width},
				Groups: groups})) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
					t.Errorf("%s: %d columns in a page of %d: %q", name, n, width, line)
				}
			}
		}
	}
}

// A narrow page keeps the most important columns: thread, role, lock, goroutine.
func TestThreadListNarrow(t *testing.T) {
	got := listText(t, reporttest.Lists()["threads"], text.ListOptions{Options: text.Options{Width: 40}})
	for _, want := range []string{"4243 worker    user×3        18", "4242 main      wedged"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// A wide page has room for the functions.
func TestThreadListWide(t *testing.T) {
	const function = "render.(*Device).eventLoopOfTheSecondDisplay"
	l := report.NewThreadList(report.Target{PID: 1}, []report.ListedThread{{TID: 2, Role: "worker", Lock: "none",
		Held: report.NewHeld("runs", function, "", "", "")}}, report.ByLock, nil)
	for width, whole := range map[int]bool{100: false, 150: true} {
		if got := listText(t, l, text.ListOptions{Options: text.Options{Width: width}}); strings.Contains(got,
			function) != whole {
			t.Errorf("at %d columns:\n%s", width, got)
		}
	}
}

// A terminal shows no more lines than it has.
func TestThreadListHeight(t *testing.T) {
	l := reporttest.Lists()["threads_many"]
	whole := strings.Count(listText(t, l, text.ListOptions{}), "\n")
	for _, height := range []int{1, 5, whole - 1} {
		got := listText(t, l, text.ListOptions{Height: height})
		if n := strings.Count(got, "\n"); n != height || !strings.Contains(got, fmt.Sprintf("… %d more lines",
			whole-height+1)) {
			t.Errorf("%d lines, want %d:\n%s", n, height, got)
		}
	}
	if got := listText(t, l, text.ListOptions{Height: whole}); strings.Contains(got, "more lines") {
		t.Errorf("cut though it fits:\n%s", got)
	}
}

// With groups and stacks each group shows the stack of a thread.
func TestThreadListGroupStacks(t *testing.T) {
	got := listText(t, reporttest.Lists()["threads"], text.ListOptions{Groups: true})
	const want = "\nthread 4243, gpu.(*Device).loop, parked in runtime.chanrecv1, locked by the user\n" +
		"            runtime.gopark (proc.go:402)\n"
	if !strings.Contains(got, want) || strings.Contains(got, "tid") {
		t.Errorf("no %q, or rows, in\n%s", want, got)
	}
}
