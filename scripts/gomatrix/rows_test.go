package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/workbuild"
)

func rowOf(offsets string, err error, problems ...problem) *row {
	r := &row{build: &build{release: "1.21.13", form: forms[0]}, err: err, problems: problems}
	if err == nil {
		r.report = &report{Locks: &lockShare{1000, 5}, Warnings: []string{"offsets: no such release"}}
		r.report.Target.Offsets = &offsets
	}
	return r
}

func TestVerdicts(t *testing.T) {
	missing, wrong := problem{false, "goid unknown"}, problem{true, "goid 1, is 2"}
	for _, c := range []struct {
		row            *row
		verdict        string
		passes, strict bool
		line           string
	}{
		{rowOf("table", nil), "ok", true, true, "99.50 %"},
		{rowOf("dwarf", nil, missing), "FAILED", false, false, "goid unknown"},
		{rowOf("dwarf", nil, missing, wrong), "MISLABELED", false, false, "MISLABEL: goid 1, is 2"},
		{rowOf("none", nil, missing), "REFUSED", false, false, "pinwatch warns: offsets: no such release"},
		{rowOf("none", nil, wrong), "MISLABELED", false, false, "MISLABEL"},
		{rowOf("", workbuild.ErrNoCompiler), "left out", true, false, "no C compiler"},
		{rowOf("", errors.New("fetch Go 1.21.13: no network")), "FAILED", false, false, "no network"},
	} {
		if v := c.row.verdict(); v != c.verdict || c.row.passed(false) != c.passes || c.row.passed(true) != c.strict {
			t.Errorf("%+v: %s, passes %t, strictly %t; want %s, %t, %t",
				c.row, v, c.row.passed(false), c.row.passed(true), c.verdict, c.passes, c.strict)
		}
		var out strings.Builder
		printRows(&out, []*row{c.row})
		text := out.String()
		for _, want := range []string{"1.21.13  plain", c.verdict, c.line} {
			if !strings.Contains(text, want) {
				t.Errorf("printed\n%swant %q", text, want)
			}
		}
	}
}

func TestManyReasonsAreCut(t *testing.T) {
	var out strings.Builder
	printRows(&out, []*row{rowOf("dwarf", nil, make([]problem, maxReasons+3)...)})
	if !strings.Contains(out.String(), "… and 3 lines more") {
		t.Errorf("printed\n%s", &out)
	}
}

func TestSelectBuilds(t *testing.T) {
	for _, c := range []struct {
		o    options
		n    int
		want string // one of them
	}{
		{options{}, len(releases) * len(forms), "1.13.15/cgo"},
		{options{short: true}, 6, "1.27.0/stripped"},
		{options{run: "^1.2[67]/pie|1.13.15"}, 4, "1.13.15/plain"},
		{options{run: "nonesuch"}, 0, ""},
		{options{run: "("}, 0, ""},
	} {
		builds, err := selectBuilds(c.o)
		found := c.want == ""
		for _, b := range builds {
			found = found || b.name() == c.want
		}
		if len(builds) != c.n || !found || (err != nil) != (c.n == 0) {
			t.Errorf("%+v: %d builds, %q there: %t, %v; want %d", c.o, len(builds), c.want, found, err, c.n)
		}
	}
	for _, release := range releases {
		if minor, err := workbuild.Minor(release); err != nil || minor < 13 {
			t.Errorf("release %s: minor %d, %v", release, minor, err)
		}
	}
}
