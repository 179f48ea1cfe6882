package catalog

import (
	"io"
	"strings"
	"testing"
)

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"", 2, "usage: workload NAME"},
		{"nonesuch", 2, `no workload "nonesuch"`},
		{"churn -h", 0, "threads to end a second"},
		{"churn -bogus", 2, "-bogus"},
		{"churn -rate 0", 2, "-rate must be above 0"},
		{"churn -rate NaN", 2, "-rate must be above 0"},
		{"demo -rate -1", 2, "-rate must be above 0"},
		{"pingpong -pairs 0", 2, "-pairs and -batch"},
		{"spinners -gc 0", 2, "-gc more than 0"},
		{"threads -tokens 0", 2, "-n and -tokens"},
		{"blocked -pace 0", 2, "-pace more than 0"},
		{"burst -n 0", 2, "-n must be 1 or more"},
		{"leak -n 0", 2, "-n must be 1 or more"},
		{"perrequest -rate 0", 2, "-rate must be above 0"},
		{"storm -every -1s", 2, "-every must not be negative"},
		{"surplus -n -1", 2, "-n must not be negative"},
		{"depth -pace 0", 2, "-pace must be more than 0"},
		{"dance -held 0", 2, "-held more than 0"},
		{"idle -d -1s", 2, "must not be negative"},
		{"idle now", 2, "takes no arguments"},
	} {
		var out, errs strings.Builder
		code := Main(strings.Fields(c.args), strings.NewReader(""), &out, &errs)
		if code != c.code || !strings.Contains(errs.String(), c.want) || out.String() != "" {
			t.Errorf("%q: exit %d, stdout %q, stderr %q; want exit %d and %q", c.args, code, &out, &errs, c.code, c.want)
		}
	}
}

func TestTrialMistakes(t *testing.T) {
	for _, args := range []string{
		"migrate -locked 9", "migrate -samples 0", "nest -depth 0", "cross -calls 0", "onmain -samples 0",
		"onmain -in-child main", "gcpin -rounds 0", "exits -n 0", "exits -in-child dance", "reuse -watch 0",
		"retake -block -1s", "grow -n 0", "lockcost -slow -1", "tax -batch 0", "tight -chunk 0", "inherit -samples 0",
		"counts -n 0", "overpin -workers 0", "labels -n 0", "schedtrace -every 0", "order -runs 0",
	} {
		var out, errs strings.Builder
		if code := Main(strings.Fields(args), strings.NewReader(""), &out, &errs); code != 2 || errs.Len() == 0 {
			t.Errorf("%q: exit %d, stderr %q", args, code, &errs)
		}
	}
}

func TestTrialWithoutItsArgumentsCannotStartItself(t *testing.T) {
	var out, errs strings.Builder
	code := Main([]string{"onmain"}, strings.NewReader(""), &out, &errs)
	if code != 1 || !strings.Contains(errs.String(), "start this program again") {
		t.Errorf("exit %d, stderr %q", code, &errs)
	}
}

func TestClosedStdout(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	var errs strings.Builder
	code := Main([]string{"idle"}, strings.NewReader(""), w, &errs)
	if code != 1 || !strings.Contains(errs.String(), "print the ready line") {
		t.Errorf("exit %d, stderr %q", code, &errs)
	}
}
