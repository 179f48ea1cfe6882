package text_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/reporttest"
	"github.com/pinwatch/pinwatch/internal/report/text"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

func listText(t *testing.T, l *report.ThreadList, o text.Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := text.WriteThreadList(&b, l, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestThreadListText(t *testing.T) {
	for name, l := range reporttest.Lists() {
		without := listText(t, l, text.Options{})
		testenv.Golden(t, "testdata/"+name+".golden", []byte(without))
		if got := escape.ReplaceAllString(listText(t, l, text.Options{Color: true}), ""); strings.ReplaceAll(got, " \n",
			"\n") != without {
			t.Errorf("%s: without its escapes the coloured list differs:\n%s", name, got)
		}
		for _, width := range []int{1, 20, 40, 60, 80, 99, 100} {
			for line := range strings.Lines(listText(t, l, text.Options{Width: width})) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
					t.Errorf("%s: %d columns in a page of %d: %q", name, n, width, line)
				}
			}
		}
	}
}

// A narrow page keeps the most important columns: thread, role, lock, goroutine.
func TestThreadListNarrow(t *testing.T) {
	got := listText(t, reporttest.Lists()["threads"], text.Options{Width: 40})
	for _, want := range []string{"4243 worker    user×3        18", "4242 main      wedged"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
