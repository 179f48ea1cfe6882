package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/perf/benchmath"

	"github.com/pinwatch/pinwatch/internal/unit"
	"github.com/pinwatch/pinwatch/scripts/measure"
)

// peers compares the target's operations under each peer, and the CPU time of each peer.
func (b *bench) peers(ctx context.Context) (string, error) {
	n, length := 20, 1500*time.Millisecond
	if b.short {
		n, length = 3, 500*time.Millisecond
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%d rounds; in each every peer observes for %v, in turn; medians.", n, length)
	fmt.Fprintf(&text, " The last three peers take part in %d.\n", min(n, fewRounds))
	for _, a := range activities {
		all, err := b.rounds(ctx, a, n, length)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&text, "\n%s (`workload %s`; operations are %s):\n\n%s",
			a.title, strings.Join(a.args, " "), a.op, slowdowns(all))
	}
	text.WriteString("\nThe commands:\n\n")
	for i := range peerList {
		if shown := peerList[i].shown(); shown != "" {
			fmt.Fprintf(&text, "- %s: %s\n", peerList[i].name, shown)
		}
	}
	return text.String(), nil
}

var slowdownColumns = []string{
	"observer", "operations/s", "slowed by", "target's CPU ns/op", "more", "observer's CPU",
	"overhead ns/op", "with its end", "BPF ns/op",
}

// slowdowns is the table of one activity.
func slowdowns(all []*taken) string {
	base := all[0]
	var rows [][]string
	for _, t := range all {
		row := make([]string, len(slowdownColumns))
		row[0] = t.peer.name
		rows = append(rows, row)
		if t.skipped != "" {
			row[1] = "skipped: " + t.skipped
			continue
		}
		rate, target := summary(t.rates), summary(t.target)
		row[1] = unit.Whole(rate.Center) + " ± " + rate.PctRangeString()
		row[3] = unit.Whole(target.Center) + " ± " + target.PctRangeString()
		if t != base {
			row[2] = longer(inverse(base.rates), inverse(t.rates))
			row[4] = longer(base.target, t.target)
		}
		if len(t.cpu) > 0 {
			row[5] = unit.Percent(summary(t.cpu).Center)
			row[6], row[7] = unit.Whole(summary(t.overheadNS).Center), unit.Whole(summary(t.allNS).Center)
		}
		if t.kernel > 0 {
			row[8] = unit.Whole(t.kernel)
		}
	}
	return measure.Table(slowdownColumns, rows)
}

func inverse(rates []float64) []float64 {
	times := make([]float64, len(rates))
	for i, r := range rates {
		times[i] = 1 / r
	}
	return times
}

// summary is the median, with its confidence interval; nothing is assumed of the distribution.
func summary(values []float64) benchmath.Summary {
	return benchmath.AssumeNothing.Summary(benchmath.NewSample(values, &benchmath.DefaultThresholds), 0.95)
}

// longer compares two samples of times: by how much the second's median is longer, and whether that
// could be chance (Mann-Whitney).
func longer(base, times []float64) string {
	t := &benchmath.DefaultThresholds
	c := benchmath.AssumeNothing.Compare(benchmath.NewSample(base, t), benchmath.NewSample(times, t))
	delta := fmt.Sprintf("%+.1f %%", 100*(summary(times).Center/summary(base).Center-1))
	if c.P > c.Alpha {
		return fmt.Sprintf("~ (%s, p=%.2f)", delta, c.P)
	}
	return fmt.Sprintf("%s (p=%.3f)", delta, c.P)
}
