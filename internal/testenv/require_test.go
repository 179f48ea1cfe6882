package testenv

import (
	"errors"
	"strings"
	"testing"
)

func TestRequire(t *testing.T) {
	tries := 0
	have := need("water", "open the tap", func() error { tries++; return nil })
	lack := need("a unicorn", "believe", func() error { return errors.New("none here") })

	t.Setenv("CI", "")
	if r := Record(func(t testing.TB) { Require(t, have, have) }); r.SkipText != "" || r.FatalText != "" {
		t.Errorf("stopped by what is there: %+v", r)
	}
	if tries != 1 {
		t.Errorf("tried %d times", tries)
	}
	const want = "a unicorn: none here"
	r := Record(func(t testing.TB) { Require(t, have, lack) })
	if !strings.HasPrefix(r.SkipText, "SKIPPED (needs "+want) || !strings.Contains(r.SkipText, "believe") ||
		strings.Contains(r.SkipText, "\n") {
		t.Errorf("skipped with %q", r.SkipText)
	}
	t.Setenv("CI", "true")
	r = Record(func(t testing.TB) { Require(t, lack) })
	if !strings.Contains(r.FatalText, want) || r.SkipText != "" {
		t.Errorf("in CI: fatal %q, skipped %q", r.FatalText, r.SkipText)
	}
	r = Record(func(t testing.TB) { Require(t, ofKernel(lack)) })
	if !strings.Contains(r.SkipText, want) || r.FatalText != "" {
		t.Errorf("in CI, of another kernel: fatal %q, skipped %q", r.FatalText, r.SkipText)
	}
}

// TestNeedsAnswer tries every need: where one is not met, the reason is an error of one line.
func TestNeedsAnswer(t *testing.T) {
	for _, n := range []*Need{BPF, BPFAdmin, Tracefs, Bpftrace, PerfRecord, Toolchain} {
		if err := n.try(); err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q is no single line", n.what, err)
		}
	}
}
