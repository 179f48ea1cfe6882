package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/unit"
	"github.com/pinwatch/pinwatch/scripts/measure"
)

// correlator compares how fast events become times: in pinwatch's code, as they come, and in perf's
// tools, from a file.
func (b *bench) correlator(ctx context.Context) (string, error) {
	length := 5 * time.Second
	if b.short {
		length = time.Second
	}
	// pinwatch itself is built with this profile.
	argv := []string{"go", "test", "-pgo=cmd/pinwatch/default.pgo", "./correlate", "./events",
		"-run", "^$", "-bench", ".", "-benchmem"}
	if b.short {
		argv = append(argv, "-benchtime", "0.2s")
	}
	results, err := goBench(ctx, argv)
	if err != nil {
		return "", err
	}
	var rows [][]string
	for _, r := range results {
		perOp, _ := r.Value("sec/op")
		bytesOp, _ := r.Value("B/op")
		allocs, _ := r.Value("allocs/op")
		row := []string{"`" + benchName(r) + "`", fmt.Sprintf("%.1f", perOp*1e9), fmt.Sprint(bytesOp), fmt.Sprint(allocs), ""}
		var more []string
		for _, v := range r.Values {
			value, unit := v.Value, v.Unit
			if v.OrigUnit != "" { // ns, which benchfmt makes seconds
				value, unit = v.OrigValue, v.OrigUnit
			}
			if unit != "ns/op" && unit != "B/op" && unit != "allocs/op" {
				more = append(more, fmt.Sprintf("%.4g %s", value, unit))
			}
		}
		row[4] = strings.Join(more, ", ")
		rows = append(rows, row)
	}
	table := measure.Table([]string{"benchmark", "ns/op", "B/op", "allocs/op", "measures"}, rows)
	text := fmt.Sprintf("`%s`, one core:\n\n%s\n", shell(argv), table)
	room, err := bytesText(ctx)
	if err != nil {
		return "", err
	}
	perf, err := b.perfTools(ctx, length)
	return text + room + perf, err
}

// bytesText measures the size of an event in the ring buffer.
func bytesText(ctx context.Context) (string, error) {
	argv := []string{"go", "test", "./loader", "-run", "^$", "-bench", "^BenchmarkBytes$", "-benchtime", "1x"}
	results, err := goBench(ctx, argv)
	if err != nil {
		return "", err
	}
	var rows [][]string
	for _, r := range results {
		events, _ := r.Value("events")
		bytes, ok := r.Value("bytes/event")
		if !ok {
			return "", fmt.Errorf("%s: %s has no bytes/event", shell(argv), benchName(r))
		}
		rows = append(rows, []string{
			strings.TrimPrefix(benchName(r), "Bytes/"), unit.Whole(events), fmt.Sprintf("%.0f", bytes)})
	}
	table := measure.Table([]string{"workload", "events", "bytes an event"}, rows)
	return fmt.Sprintf("`%s`:\n\n%s\n", shell(argv), table), nil
}

// perfTools times perf's readers on a recording of a locked ping-pong.
func (b *bench) perfTools(ctx context.Context, length time.Duration) (string, error) {
	if _, err := exec.LookPath("perf"); err != nil {
		return "perf's tools were skipped: perf is not installed.\n", nil
	}
	data := filepath.Join(b.dir, "perf.data")
	w, err := measure.StartWorkload(ctx, b.workload, "pingpong", "-pairs", "2")
	if err != nil {
		return "", err
	}
	record := exec.CommandContext(ctx, "perf", "sched", "record", "-o", data, "sleep", fmt.Sprint(length.Seconds()))
	out, err := record.CombinedOutput()
	if stopErr := w.End(); err == nil {
		err = stopErr
	}
	if err != nil {
		return "", fmt.Errorf("perf sched record: %w: %s", err, bytes.TrimSpace(out))
	}
	var events, turns lineCounter // perf script prints a line an event
	var rows [][]string
	tools := [][]string{{"perf", "script", "-i", "perf.data"}, {"perf", "sched", "timehist", "-i", "perf.data"}}
	for _, tool := range tools {
		cmd := exec.CommandContext(ctx, tool[0], tool[1:]...)
		cmd.Dir = b.dir
		cmd.Stdout = &turns
		if len(rows) == 0 {
			cmd.Stdout = &events
		}
		if err := cmd.Run(); err != nil {
			return "", fmt.Errorf("%s: %w", shell(tool), err)
		}
		used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		rusage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		if !ok || events.lines == 0 || len(rows) == 1 && turns.lines == 0 {
			return "", fmt.Errorf("%s: it printed nothing", shell(tool))
		}
		rows = append(rows, []string{
			"`" + shell(tool) + "`", unit.Whole(float64(events.lines)), fmt.Sprintf("%.2f", used.Seconds()),
			unit.Whole(float64(events.lines) / used.Seconds()), mebibytes(uint64(rusage.Maxrss) << 10)})
	}
	size, err := fileSize(data)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("perf's tools on what `perf sched record sleep %v` records beside `workload pingpong -pairs 2` "+
		"(%.0f bytes an event):\n\n%s",
		length.Seconds(), float64(size)/float64(events.lines),
		measure.Table([]string{"tool", "events in the file", "CPU s", "events/s of CPU", "peak RSS MiB"}, rows)), nil
}

// lineCounter is a writer that counts lines.
type lineCounter struct{ lines int }

func (c *lineCounter) Write(p []byte) (int, error) {
	c.lines += bytes.Count(p, []byte{'\n'})
	return len(p), nil
}
