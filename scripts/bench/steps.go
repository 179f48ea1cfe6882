package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"github.com/pinwatch/pinwatch/internal/host"
	"github.com/pinwatch/pinwatch/scripts/measure"
)

// switchSteps are the steps of a switch's program, as BenchmarkSteps names them, and what they add.
var switchSteps = []struct{ name, does string }{
	{"empty", "nothing: the kernel's own account of a run"},
	{"filter", "compares both processes with the target"},
	{"slot", "writes the CPU's slot"},
	{"clock", "reads the clock"},
	{"thread", "finds the thread's state and writes it"},
	{"lock", "checks its lock"},
	{"split", "splits the turn into running, waiting and blocked"},
	{"send", "sends the turn"},
}

// steps measures what each step of a switch costs.
func (b *bench) steps(ctx context.Context) (string, error) {
	if out, err := exec.CommandContext(ctx, "scripts/setup", "generate").CombinedOutput(); err != nil {
		return "", fmt.Errorf("install clang: %w: %s", err, strings.TrimSpace(string(out)))
	}
	argv := []string{"go", "test", "./loader", "-run", "^$", "-bench", "^BenchmarkSteps$", "-benchtime", "1x"}
	results, err := goBench(ctx, argv)
	if err != nil {
		return "", err
	}
	if len(results) != 1 {
		return "", fmt.Errorf("%s measured nothing", strings.Join(argv, " "))
	}
	value := func(name string) float64 { v, _ := results[0].Value("sec/" + name); return v }
	empty := value("empty")
	var rows [][]string
	before := 0.0
	for _, s := range switchSteps {
		v := value(s.name)
		rows = append(rows, []string{s.does, nanos(v), fmt.Sprintf("%+.0f", (v-before)*1e9), fmt.Sprintf("%.2f", v/empty)})
		before = v
	}
	foreign := value("foreign")
	rows = append(rows,
		[]string{"*all, for a switch of another process*", nanos(foreign), "", fmt.Sprintf("%.2f", foreign/empty)})
	table := measure.Table([]string{"up to this step", "ns", "more", "× empty"}, rows)
	return fmt.Sprintf("`%s`\n\n%s", shell(argv), table), nil
}

// hostKind names what the steps' costs depend on most: how the clock is read, and whether each
// entry to the kernel changes the page tables.
func hostKind(h host.Info) string {
	if strings.HasPrefix(h.Mitigations["meltdown"], "Mitigation: PTI") {
		return h.Clocksource + " with page-table isolation"
	}
	return h.Clocksource
}
