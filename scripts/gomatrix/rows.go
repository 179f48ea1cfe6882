package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/pinwatch/pinwatch/internal/workbuild"
)

// row is the outcome of a build. Its verdict is ok, MISLABELED, FAILED, REFUSED (pinwatch observes
// such a build by kernel events alone) or left out (this machine cannot build it).
type row struct {
	build    *build
	report   *report // nil = none
	problems []problem
	err      error // the reason when there is no report
}

func (r *row) offsets() string {
	if r.report == nil || r.report.Target.Offsets == nil {
		return "none"
	}
	return *r.report.Target.Offsets
}

func (r *row) mislabels() (n int) {
	for _, p := range r.problems {
		if p.mislabel {
			n++
		}
	}
	return n
}

func (r *row) verdict() string {
	switch {
	case errors.Is(r.err, workbuild.ErrNoCompiler):
		return "left out"
	case r.err != nil:
		return "FAILED"
	case r.mislabels() > 0:
		return "MISLABELED"
	case r.offsets() == "none":
		return "REFUSED"
	case len(r.problems) > 0:
		return "FAILED"
	default:
		return "ok"
	}
}

// passed reports whether the row does not fail the matrix. A build that is left out fails it when
// strict.
func (r *row) passed(strict bool) bool {
	v := r.verdict()
	return v == "ok" || v == "left out" && !strict
}

// reasons returns the reasons of a verdict that is not ok, one line each.
func (r *row) reasons() (lines []string) {
	if r.err != nil {
		lines = strings.Split(r.err.Error(), "\n")
	}
	if r.verdict() == "REFUSED" {
		for _, w := range r.report.Warnings {
			lines = append(lines, "pinwatch warns: "+w)
		}
	}
	for _, p := range r.problems {
		lines = append(lines, p.String())
	}
	return lines
}

// maxReasons bounds the lines printed for one row: one cause has many effects.
const maxReasons = 12

// printRows prints one line per build, and below the table the reasons of those that are not ok.
func printRows(w io.Writer, rows []*row) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RELEASE\tFORM\tOFFSETS\tOBSERVATIONS\tKNOWN\tMISLABELS\tVERDICT")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t", r.build.release, r.build.form.name)
		if r.report == nil || r.report.Locks == nil {
			fmt.Fprintf(t, "%s\t-\t-\t%d\t%s\n", r.offsets(), r.mislabels(), r.verdict())
		} else {
			l := r.report.Locks
			fmt.Fprintf(t, "%s\t%d\t%.2f %%\t%d\t%s\n", r.offsets(), l.Observations, 100*l.known(), r.mislabels(), r.verdict())
		}
	}
	t.Flush()
	for _, r := range rows {
		lines := r.reasons()
		if len(lines) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s: %s\n", r.build.name(), r.verdict())
		for i, line := range lines {
			if i == maxReasons {
				fmt.Fprintf(w, "  … and %d lines more\n", len(lines)-i)
				break
			}
			fmt.Fprintf(w, "  %s\n", line)
		}
	}
}
