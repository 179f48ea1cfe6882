package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/perf/benchmath"
	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/scripts/measure"
)

// What pinwatch run may cost the program that it starts.
const (
	startBudget = 100 * time.Millisecond // before its first instruction
	workBudget  = 1.03                   // of the wall time of its work
)

// workLength is about how long the program works by itself.
const workLength = 2 * time.Second

// stamps are the times of one run, ns: from the start of the first process to the program's first
// statement, its work, and from there to the end of the first process.
type stamps struct{ start, work, end float64 }

// started measures what pinwatch run adds to a program's start, work and end: each run has a plain one
// beside it, and pairs begin with either in turn.
func (b *bench) started(ctx context.Context) (string, error) {
	short, long := 40, 20
	if b.short {
		short, long = 5, 3
	}
	program := filepath.Join(b.dir, "stamped")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "./scripts/bench/stamped").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build stamped: %w: %s", err, strings.TrimSpace(string(out)))
	}
	blocks, err := blocksFor(ctx, program, workLength)
	if err != nil {
		return "", err
	}
	brief, err := b.pairs(ctx, short, program, 1)
	if err != nil {
		return "", err
	}
	busy, err := b.pairs(ctx, long, program, blocks)
	if err != nil {
		return "", err
	}
	start, work := added(brief, func(s stamps) float64 { return s.start }), ratio(busy)
	rows := [][]string{
		{"before the first instruction", milliseconds(start), fmt.Sprintf("≤ %d ms", startBudget.Milliseconds()),
			held(start.Hi <= float64(startBudget))},
		{"work on every CPU, 2 s by itself", percent(work), fmt.Sprintf("≤ %.0f %%", 100*(workBudget-1)),
			held(work.Hi <= workBudget)},
		{"after the end, for a program that ends at once",
			milliseconds(added(brief, func(s stamps) float64 { return s.end })), "", ""},
		{"after the end, for the one that works", milliseconds(added(busy, func(s stamps) float64 { return s.end })), "", ""},
	}
	return fmt.Sprintf("`pinwatch run -q --out FILE -- PROGRAM`, each beside a run of the program alone: %d pairs of a "+
		"program that ends at once, %d of one that works. Medians of the differences or, for the work, of the "+
		"ratios, with their 95 %% intervals; held: the whole interval is within.\n\n%s", short, long,
		measure.Table([]string{"pinwatch run adds", "median (interval)", "budget", "held"}, rows)), nil
}

// pair is one run alone and one under pinwatch.
type pair struct{ alone, watched stamps }

func (b *bench) pairs(ctx context.Context, n int, program string, blocks int) ([]pair, error) {
	alone := []string{program, strconv.Itoa(blocks)}
	watched := append([]string{b.pinwatch, "run", "-q", "--out", filepath.Join(b.dir, "run.json"), "--"}, alone...)
	all := make([]pair, n)
	for i := range all {
		p := &all[i]
		var errs [2]error
		if i%2 == 0 {
			p.alone, errs[0] = timed(ctx, alone)
			p.watched, errs[1] = timed(ctx, watched)
		} else {
			p.watched, errs[1] = timed(ctx, watched)
			p.alone, errs[0] = timed(ctx, alone)
		}
		if err := errors.Join(errs[:]...); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// timed runs a command that ends with the output of stamped.
func timed(ctx context.Context, argv []string) (stamps, error) {
	before := monotonic()
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).Output()
	after := monotonic()
	if err != nil {
		return stamps{}, fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
	}
	var begin, end int64
	if _, err := fmt.Sscan(string(out), &begin, &end); err != nil {
		return stamps{}, fmt.Errorf("%s printed %q: %w", strings.Join(argv, " "), out, err)
	}
	return stamps{float64(begin - before), float64(end - begin), float64(after - end)}, nil
}

// blocksFor is how many blocks the program hashes in that time.
func blocksFor(ctx context.Context, program string, length time.Duration) (int, error) {
	for blocks := 1000; ; blocks *= 2 {
		s, err := timed(ctx, []string{program, strconv.Itoa(blocks)})
		if err != nil {
			return 0, err
		}
		if s.work >= float64(length)/4 {
			return int(float64(blocks) * float64(length) / s.work), nil
		}
	}
}

func added(pairs []pair, part func(stamps) float64) benchmath.Summary {
	var values []float64
	for _, p := range pairs {
		values = append(values, part(p.watched)-part(p.alone))
	}
	return summary(values)
}

func ratio(pairs []pair) benchmath.Summary {
	var values []float64
	for _, p := range pairs {
		values = append(values, p.watched.work/p.alone.work)
	}
	return summary(values)
}

func milliseconds(s benchmath.Summary) string {
	return fmt.Sprintf("%.0f ms (%.0f to %.0f)", s.Center/1e6, s.Lo/1e6, s.Hi/1e6)
}

func percent(s benchmath.Summary) string {
	return fmt.Sprintf("%+.1f %% (%+.1f to %+.1f)", 100*(s.Center-1), 100*(s.Lo-1), 100*(s.Hi-1))
}

// monotonic is CLOCK_MONOTONIC, ns, as stamped prints it.
func monotonic() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // cannot be: the clock exists and the pointer is valid
	}
	return ts.Nano()
}
