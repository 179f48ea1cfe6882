package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// printRows prints one row per kernel.
func printRows(w io.Writer, kernels []kernel, results []result) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "KERNEL\tRELEASE\tPASSED\tFAILED\tSKIPPED\tDEMO\tDOCTOR\tRESULT")
	for i, r := range results {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%s\t%s\t%s\n", kernels[i].name, orElse(r.release, "did not boot"),
			r.count(passed), r.count(failed), r.count(skipped), orElse(r.demo, "-"), orElse(r.doctor, "-"), r.summary())
	}
	t.Flush()
}

func orElse(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

func (r result) summary() string {
	if r.ok {
		return "ok"
	}
	return "FAILED"
}

// verdict prints the reasons of each failed row and returns errFailed if there is one. A matrix of
// all tests on every kernel, with nothing added to their command lines, must also have run each
// test somewhere.
func verdict(w io.Writer, kernels []kernel, results []result, o options) error {
	var err error
	for i, r := range results {
		if r.printed != "" {
			fmt.Fprintf(w, "\n%s:\n%s\n", kernels[i].name, r.printed)
		}
		if r.ok {
			continue
		}
		err = errFailed
		fmt.Fprintf(w, "\n%s failed; its console is in %s\n", kernels[i].name, logPath(kernels[i]))
		if r.died != "" {
			fmt.Fprintf(w, "  %s: did not end\n", r.died)
		}
		for _, step := range slices.Sorted(maps.Keys(r.exits)) {
			if code := r.exits[step]; code != 0 {
				fmt.Fprintf(w, "  %s: exit %d\n", step, code)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(r.tests)) {
			if r.tests[name] == failed {
				fmt.Fprintf(w, "  %s\n", name)
			}
		}
	}
	if o.kernels != "" || o.cmdline != "" || o.run != "" || o.tests != "" {
		return err
	}
	if never := neverRan(results); len(never) > 0 {
		err = errFailed
		fmt.Fprintf(w, "\nno kernel could run:\n  %s\n", strings.Join(never, "\n  "))
	}
	return err
}
