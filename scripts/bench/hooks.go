package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"

	"golang.org/x/perf/benchfmt"

	"github.com/pinwatch/pinwatch/scripts/measure"
)

const (
	foreignSwitchBudget = 1.15 // × empty
	targetSwitchBudget  = 5
	otherBudget         = 10
	stackBudget         = 20
	referenceBudget     = 1.15 // × reference
	manyForeignBudget   = 1.3  // × empty
	manyTargetBudget    = 1.1  // × a switch of the only target
)

// takesStack names the hooks whose programs take a user stack.
var takesStack = map[string]bool{
	"sys_enter_clone": true, "sys_enter_clone3": true, "sys_enter_exit": true, "sys_enter_tgkill": true,
}

// budget is the longest run of one of our programs, as a multiple of the empty program's.
func budget(hook, process string) float64 {
	switch {
	case hook == "sched_switch" && process == "foreign":
		return foreignSwitchBudget
	case hook == "sched_switch":
		return targetSwitchBudget
	case takesStack[hook]:
		return stackBudget
	default:
		return otherBudget
	}
}

// hooks measures a run of each program by the kernel's account.
func (b *bench) hooks(ctx context.Context) (string, error) {
	const benchmarks = "^Benchmark(Hooks|Reference|Many)$"
	argv := []string{"go", "test", "./loader", "-run", "^$", "-bench", benchmarks, "-benchtime", "1x"}
	results, err := goBench(ctx, argv)
	if err != nil {
		return "", err
	}
	var rows [][]string
	var reference, many string
	for _, r := range results {
		name := strings.Split(benchName(r), "/") // Hooks/churn/target/task_newtask
		ours, _ := r.Value("sec/run")
		if len(name) == 1 && name[0] == "Reference" {
			reference = referenceText(r)
		}
		if len(name) == 1 && name[0] == "Many" {
			many = manyText(r)
		}
		if len(name) != 4 {
			continue
		}
		floor, _ := r.Value("sec/empty-run")
		runs, _ := r.Value("runs")
		limit := budget(name[3], name[2])
		rows = append(rows, []string{"`" + name[3] + "`", name[2], fmt.Sprintf("%.0f", runs), nanos(floor), nanos(ours),
			fmt.Sprintf("%.2f", ours/floor), fmt.Sprint(limit), held(ours/floor <= limit)})
	}
	header := []string{"hook", "fired by", "runs", "empty ns", "ours ns", "× empty", "budget", "held"}
	if len(rows) == 0 || reference == "" || many == "" {
		return "", fmt.Errorf("%s measured nothing", strings.Join(argv, " "))
	}
	return fmt.Sprintf("`%s`\n\n%s\n%s\n%s\n", shell(argv), measure.Table(header, rows), reference, many), nil
}

func manyText(r *benchfmt.Result) string {
	floor, _ := r.Value("sec/empty-run")
	one, _ := r.Value("sec/run")
	ours, _ := r.Value("sec/many-run")
	foreign, _ := r.Value("sec/many-foreign-run")
	return fmt.Sprintf("With many targets, in turns with one target: a switch of another process takes %s ns, "+
		"%.2f × empty (budget %v: %s); a target's takes %s ns, %.2f × %s ns of the only target's (budget %v: %s).",
		nanos(foreign), foreign/floor, manyForeignBudget, held(foreign/floor <= manyForeignBudget),
		nanos(ours), ours/one, nanos(one), manyTargetBudget, held(ours/one <= manyTargetBudget))
}

func referenceText(r *benchfmt.Result) string {
	ours, _ := r.Value("sec/run")
	least, _ := r.Value("sec/reference-run")
	summed, _ := r.Value("sec/aggregate-run")
	floor, _ := r.Value("sec/empty-run")
	return fmt.Sprintf("A switch of the target with its lock state, over a locked ping-pong, "+
		"in turns with the least program that sends such a record (`bpf/reference.bpf.c`): "+
		"ours %s ns, the reference %s ns, an empty program %s ns. "+
		"Ours is %.2f × the reference (budget %.2f: %s) and %.2f × empty (budget %d: %s). "+
		"Added up instead of sent (`--aggregate`) it is %s ns, %.2f × that (budget 1: %s).\n",
		nanos(ours), nanos(least), nanos(floor), ours/least, referenceBudget, held(ours/least <= referenceBudget),
		ours/floor, targetSwitchBudget, held(ours/floor <= targetSwitchBudget),
		nanos(summed), summed/ours, held(summed <= ours))
}

// goBench runs benchmarks and returns their results, in the order in which they came.
func goBench(ctx context.Context, argv []string) ([]*benchfmt.Result, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		text := out[max(0, len(out)-500):]
		return nil, fmt.Errorf("%s: %w: %s%s", shell(argv), err, bytes.TrimSpace(text), bytes.TrimSpace(stderr.Bytes()))
	}
	var results []*benchfmt.Result
	for r := benchfmt.NewReader(bytes.NewReader(out), "go test"); r.Scan(); {
		if res, ok := r.Result().(*benchfmt.Result); ok {
			results = append(results, res.Clone())
		}
	}
	return results, nil
}

var procsRE = regexp.MustCompile(`-\d+$`)

// benchName is the name of a benchmark without its GOMAXPROCS.
func benchName(r *benchfmt.Result) string { return procsRE.ReplaceAllString(r.Name.String(), "") }
