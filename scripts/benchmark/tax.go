package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/scripts/measure"
)

const (
	taxCalls = 1_000_000 // in a loop
	taxLoops = 3         // of which the fastest counts
)

// tax is what other processes pay: this process, which is not observed, calls getppid in a loop.
func (b *bench) tax(ctx context.Context) (string, error) {
	rounds := 11
	if b.short {
		rounds = 3
	}
	var all []*taken
	hooks := map[*taken]string{}
	for i := range peerList {
		p := &peerList[i]
		if p.command == nil && p.args == nil || len(p.command) > 0 && p.command[0] == "pinwatch" {
			t := &taken{peer: p, skipped: p.absent(b.pinwatch)}
			if all = append(all, t); p.command == nil || t.skipped != "" {
				continue
			}
			var err error
			if hooks[t], err = b.syscallHooks(ctx, p.command[len(pinwatchCommand()):]); err != nil {
				return "", fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	for range rounds {
		for _, t := range all {
			if t.skipped != "" {
				continue
			}
			_, err := b.observed(ctx, activity{args: []string{"idle"}}, t.peer, func(*measure.Workload, *measure.Observer) error {
				t.ownNS = append(t.ownNS, perCall())
				return nil
			})
			if err = errors.Join(err, ctx.Err()); err != nil {
				return "", fmt.Errorf("%s: %w", t.peer.name, err)
			}
		}
	}
	var rows [][]string
	base := summary(all[0].ownNS).Center
	for _, t := range all {
		if t.skipped != "" {
			rows = append(rows, []string{t.peer.name, "", "skipped: " + t.skipped, "", ""})
			continue
		}
		s := summary(t.ownNS)
		rows = append(rows, []string{t.peer.name, hooks[t], fmt.Sprintf("%.1f", s.Center), fmt.Sprintf("%.1f", slices.Min(t.ownNS)),
			fmt.Sprintf("%+.1f %%", 100*(s.Center/base-1))})
	}
	return fmt.Sprintf("%d rounds, in each the fastest of %d loops of %s calls; `workload idle` is observed, "+
		"another process calls.\n\n%s",
		rounds, taxLoops, big(taxCalls), measure.Table([]string{"attached", "system calls watched by", "getppid ns, median", "least", "tax"}, rows)), nil
}

// syscallHooks says how pinwatch with these flags watches system calls here, by its own report.
func (b *bench) syscallHooks(ctx context.Context, flags []string) (string, error) {
	out, err := exec.CommandContext(ctx, b.pinwatch, append([]string{"demo", "-d", "100ms", "-o", "json"}, flags...)...).Output()
	if err != nil {
		return "", fmt.Errorf("pinwatch demo: %w", err)
	}
	var report struct {
		Observer struct {
			Hooks map[string]string `json:"hooks"`
		} `json:"observer"`
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return "", fmt.Errorf("read the demo's report: %w", err)
	}
	var ways []string
	for _, call := range []string{"clone", "clone3", "exit", "tgkill", "rt_sigreturn", "rt_sigprocmask", "sigaltstack"} {
		if how := report.Observer.Hooks[call]; !slices.Contains(ways, how) {
			ways = append(ways, how)
		}
	}
	return strings.Join(ways, ", "), nil
}

// perCall is how long a getppid takes, in ns.
func perCall() float64 {
	runtime.LockOSThread() // a loop that changes threads measures the scheduler too
	defer runtime.UnlockOSThread()
	best := time.Duration(1<<63 - 1)
	for range taxLoops {
		began := time.Now()
		for range taxCalls {
			_, _, _ = syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0) // it always succeeds
		}
		best = min(best, time.Since(began))
	}
	return float64(best) / taxCalls
}
