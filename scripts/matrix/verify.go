package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/toolchain"
	"github.com/pinwatch/pinwatch/internal/verify"
	"github.com/pinwatch/pinwatch/internal/workbuild"
	"github.com/pinwatch/pinwatch/scripts/matrix/plan"
	"github.com/pinwatch/pinwatch/scripts/results"
)

// block of docs/results.md that this matrix fills.
const block = "kernels"

// part is a share of the statements, with a time limit. What is not done by then is left undone.
type part struct {
	step        string
	experiments []string // of its statements; nil = all that no other part has
	limit       time.Duration
}

// parts of a guest's verification. What rests on the kernel's events and state comes first.
var parts = []part{
	{
		"verify-kernel", []string{"churn", "storm", "pins", "inherit", "internal", "callback", "cgo"},
		300 * time.Second,
	},
	{"verify-programs", []string{"programs", "source"}, 420 * time.Second},
	{"verify-rest", nil, 210 * time.Second},
}

const (
	verifyGrace = 60 * time.Second // for the experiment at hand to end
	verifyGuest = 18 * time.Minute // with the guest's boot, and the output through the serial line
)

// divide returns each part's statements, by id. Only those in the comma-separated list only are
// included; empty = all.
func divide(only string) [][]string {
	wanted := strings.Split(only, ",")
	ids := make([][]string, len(parts))
	for _, st := range contract.Statements() {
		if only != "" && !slices.Contains(wanted, st.ID) {
			continue
		}
		i := slices.IndexFunc(parts, func(p part) bool {
			return p.experiments == nil || slices.ContainsFunc(st.Experiments(), func(x string) bool {
				return slices.Contains(p.experiments, x)
			})
		})
		ids[i] = append(ids[i], st.ID)
	}
	return ids
}

// verification is the plan of -verify. Guests have no C compiler, so the workload with C comes
// along, linked statically; the rest is built into pinwatch.
func verification(ctx context.Context, dir, only string) (files []guestFile, steps []plan.Step, err error) {
	f, err := build(runtime.GOARCH, dir, "pinwatch",
		"build", "-ldflags=-X main.version="+results.Version(), "./cmd/pinwatch")
	if err != nil {
		return nil, nil, err
	}
	if files, err = cgoWorkload(runtime.GOARCH, dir); err != nil {
		return nil, nil, err
	}
	goroot, err := toolchain.Fetch(ctx, verify.QuotaRelease)
	if err != nil {
		return nil, nil, err
	}
	old, err := workbuild.Build(ctx, filepath.Join(dir, "old"), goroot, verify.QuotaRelease,
		workbuild.Command{Name: "workload"})
	if err != nil {
		return nil, nil, err
	}
	files = append(files, f, guestFile{"bin/oldworkload", old})
	for i, ids := range divide(only) {
		if len(ids) > 0 {
			steps = append(steps, plan.Step{
				Name: parts[i].step, Dir: "/tmp", Timeout: parts[i].limit, Grace: verifyGrace, Document: true,
				Argv: []string{"pinwatch", "verify", "-o", "json", "--only", strings.Join(ids, ",")},
			})
		}
	}
	if steps == nil {
		return nil, nil, fmt.Errorf("-only %s: no such statement", only)
	}
	return files, steps, nil
}

// verdicts keeps each guest's verdicts, prints them, and returns errFailed if a part of one has
// none.
func verdicts(w io.Writer, picked []kernel, ran []result, o options) error {
	var summaries []results.Summary
	var failed error
	for i, r := range ran {
		v, err := r.verdicts()
		if v != nil && o.only == "" && picked[i].hasColumn() {
			err = errors.Join(err, keep(picked[i], r.release, v))
		}
		if err != nil {
			fmt.Fprintf(w, "%s: FAILED: %v; its console is in %s\n", picked[i].name, err, logPath(picked[i]))
			failed = errFailed
		}
		if v == nil {
			continue
		}
		summaries = append(summaries, results.Summarize(title(r.release), v))
	}
	fmt.Fprint(w, results.Overview(summaries))
	return failed
}

// Exit codes of pinwatch verify with verdicts: all hold, some are refuted or out of range, some are
// inconclusive.
var verifyExits = map[int]bool{0: true, 3: true, 4: true}

// verdicts joins the verdicts of the guest's parts, and returns an error for the parts without. The
// guest must have ended by itself: otherwise its output may be cut.
func (r result) verdicts() (*results.Verdicts, error) {
	switch {
	case r.release == "":
		return nil, errors.New("did not boot")
	case !r.ended:
		return nil, errors.New("did not end")
	}
	var done []*results.Verdicts
	var failed []error
	for _, p := range parts {
		exit, ran := r.exits[p.step]
		if !ran {
			continue
		}
		v, err := r.part(p.step, exit)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", p.step, err))
			continue
		}
		done = append(done, v)
	}
	if done == nil {
		return nil, cmp.Or(errors.Join(failed...), errors.New("no verdicts"))
	}
	return results.Join(done), errors.Join(failed...)
}

// part reads one part's verdicts.
func (r result) part(step string, exit int) (*results.Verdicts, error) {
	if !verifyExits[exit] {
		return nil, fmt.Errorf("exit %d", exit)
	}
	var document json.RawMessage
	if err := decodeDocument(r.output[step], &document); err != nil {
		return nil, err
	}
	v, err := results.Decode(document)
	if err != nil {
		return nil, err
	}
	if v.Host.Kernel == nil || *v.Host.Kernel != r.release {
		return nil, errors.New("the verdicts are of another kernel")
	}
	return v, nil
}

// keep writes a kernel's verdicts and the tables.
func keep(k kernel, release string, v *results.Verdicts) error {
	if err := results.Keep(column(k), title(release), "make matrix ARGS=-verify", v); err != nil {
		return err
	}
	var columns []results.Column
	for _, k := range kernels {
		if k.hasColumn() {
			columns = append(columns, column(k))
		}
	}
	return results.Show(block, columns)
}

// hasColumn reports whether the results have a column of the kernel: of each series one, as shipped.
func (k kernel) hasColumn() bool { return !k.extra && k.preempt == "" && k.arch == runtime.GOARCH }

func column(k kernel) results.Column {
	return results.Column{Key: "linux-" + strings.TrimSuffix(k.name, ".x"), Title: "Linux " + k.name}
}

var seriesRE = regexp.MustCompile(`^\d+\.\d+`)

// title is Linux 6.12 for 6.12.43-cloud-amd64.
func title(release string) string { return "Linux " + seriesRE.FindString(release) }
