package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/scripts/kernelmatrix/plan"
	"github.com/pinwatch/pinwatch/scripts/results"
)

// block of docs/results.md that this matrix fills.
const block = "kernels"

// How long a guest may hold statements against its kernel: what has not been done by then is left undone.
const (
	verifyTimeout = 110 * time.Second
	verifyGrace   = time.Minute     // for the experiment at hand to end, and for the text to get out by the serial line
	verifyGuest   = 9 * time.Minute // with the time that the guest takes to boot
)

// verification is the plan of --verify. Guests have no C compiler, so the workload with C comes along, linked statically; the rest is built
// into pinwatch.
func verification(dir, only string) (files []guestFile, steps []plan.Step, err error) {
	f, err := build(dir, "pinwatch", "build", "-ldflags=-X main.version="+version(), "./cmd/pinwatch")
	if err != nil {
		return nil, nil, err
	}
	files = append(files, f)
	if _, err := exec.LookPath("gcc"); err == nil {
		f, err := buildWithC(dir, "cgoworkload", "./internal/workload/cmd/cgoworkload")
		if err != nil {
			return nil, nil, err
		}
		files = append(files, f)
	}
	argv := []string{"pinwatch", "verify", "-o", "json"}
	if only != "" {
		argv = append(argv, "--only", only)
	}
	return files, []plan.Step{{Name: stepVerify, Dir: "/tmp", Argv: argv, Timeout: verifyTimeout, Grace: verifyGrace, Document: true}}, nil
}

// version is this tree's, as make build has it.
func version() string {
	out, err := exec.Command("git", "describe", "--tags", "--always", "--dirty").Output()
	if err != nil {
		return "devel"
	}
	return strings.TrimSpace(string(out))
}

// verdicts notes what each guest said, prints it, and returns errFailed if one said nothing. The extra kernels have no column.
func verdicts(w io.Writer, picked []kernel, ran []result, o options) error {
	var summaries []results.Summary
	var failed error
	for i, r := range ran {
		v, err := r.verdicts()
		if err == nil && o.only == "" && !picked[i].extra {
			err = keep(picked[i], r.release, v)
		}
		if err != nil {
			fmt.Fprintf(w, "%s: FAILED: %v; all it said is in %s\n", picked[i].name, err, logPath(picked[i]))
			failed = errFailed
			continue
		}
		summaries = append(summaries, results.Summarize(title(r.release), v))
	}
	fmt.Fprint(w, results.Overview(summaries))
	return failed
}

// Exit codes of pinwatch verify with verdicts: all hold, some are refuted or out of range, some are inconclusive.
var verifyExits = map[int]bool{0: true, 3: true, 4: true}

// verdicts reads what the guest's verify printed. The guest has ended itself, or the text may have been cut.
func (r result) verdicts() (*results.Verdicts, error) {
	exit, ended := r.exits[stepVerify]
	switch {
	case r.release == "":
		return nil, errors.New("did not boot")
	case !ended || !r.ended:
		return nil, errors.New("did not end")
	case !verifyExits[exit]:
		return nil, fmt.Errorf("exit %d", exit)
	}
	var document json.RawMessage
	if err := decodeDocument(r.verify, &document); err != nil {
		return nil, err
	}
	v, err := results.Decode(document)
	if err == nil && (v.Host.Kernel == nil || *v.Host.Kernel != r.release) {
		err = errors.New("the verdicts are of another kernel")
	}
	return v, err
}

// keep notes a kernel's verdicts and renews the tables.
func keep(k kernel, release string, v *results.Verdicts) error {
	if err := results.Keep(column(k), title(release), "scripts/kernel-matrix --verify", v); err != nil {
		return err
	}
	var columns []results.Column
	for _, k := range kernels {
		if !k.extra {
			columns = append(columns, column(k))
		}
	}
	return results.Show(block, columns)
}

func column(k kernel) results.Column {
	return results.Column{Key: "linux-" + strings.TrimSuffix(k.name, ".x"), Title: "Linux " + k.name}
}

var seriesRE = regexp.MustCompile(`^\d+\.\d+`)

// title is Linux 6.12 for 6.12.43-cloud-amd64.
func title(release string) string { return "Linux " + seriesRE.FindString(release) }
