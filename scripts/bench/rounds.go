package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/client"
	"github.com/pinwatch/pinwatch/scripts/measure"
)

// activity is a workload that peers observe.
type activity struct {
	title string
	op    string // what its operations are
	args  []string
}

var activities = []activity{
	{"Locked ping-pong", "round trips", []string{"pingpong", "-pairs", "2"}},
	{"Thread churn", "threads made and ended", []string{"burst", "-n", "8", "-every", "0"}},
}

// fewRounds is for peers that observe something else than pinwatch.
const fewRounds = 7

// turnLimit is for one observation, in which anything that hangs is killed.
const turnLimit = 2 * time.Minute

// taken holds the measurements of one peer at one activity, by round. Those of the observer are
// empty for a peer that is no process.
type taken struct {
	peer       *peer
	skipped    string    // the reason when there are no measurements
	rates      []float64 // operations a second
	target     []float64 // CPU time of the target, ns an operation
	cpu        []float64 // of the observer while the target works, in CPUs
	overheadNS []float64 // the same in ns an operation
	allNS      []float64 // the same, with the observer's work at its end
	kernel     float64   // ns an operation in its BPF programs; 0 = not known
	callNS     []float64 // ns of a system call of another process
}

// rounds has every peer observe the activity once a round, each round beginning with another peer.
func (b *bench) rounds(ctx context.Context, a activity, n int, length time.Duration) ([]*taken, error) {
	all := make([]*taken, len(peerList))
	for i := range peerList {
		all[i] = &taken{peer: &peerList[i], skipped: peerList[i].absent(b.pinwatch)}
	}
	for round := range n {
		fmt.Fprintf(b.log, "%s: round %d of %d\n", a.args[0], round+1, n)
		for i := range all {
			t := all[(i+round)%len(all)]
			if t.skipped != "" || t.peer.few && round >= fewRounds {
				continue
			}
			err := b.turn(ctx, a, t, length)
			switch {
			case ctx.Err() != nil:
				return nil, ctx.Err()
			case err != nil && t.peer.foreign():
				t.skipped = fmt.Sprintf("failed in round %d: %v", round+1, err)
			case err != nil:
				return nil, fmt.Errorf("%s: %w", t.peer.name, err)
			}
		}
	}
	for _, t := range all {
		if t.skipped == "" && t.peer.bpf {
			if err := b.accounted(ctx, a, t, length); err != nil { // the column stays empty
				fmt.Fprintf(b.log, "%s: the kernel's account: %v\n", t.peer.name, err)
			}
		}
	}
	return all, nil
}

// turn is one observation, the kernel's account off.
func (b *bench) turn(ctx context.Context, a activity, t *taken, length time.Duration) error {
	var before, used time.Duration
	var ops float64
	o, err := b.observed(ctx, a, t.peer, func(w *client.Process, o *measure.Observer) error {
		targetBefore, err := measure.CPUTime(w.PID)
		if err != nil {
			return err
		}
		if before, err = cpuOf(o); err != nil {
			return err
		}
		account, elapsed, err := act(ctx, w, length)
		if err != nil {
			return err
		}
		after, err := cpuOf(o)
		if err != nil {
			return err
		}
		target, err := measure.CPUTime(w.PID)
		if err != nil {
			return err
		}
		rate, err := measure.Rate(account)
		if err != nil {
			return err
		}
		ops, used = float64(account.Ops), after-before
		t.rates = append(t.rates, rate)
		t.target = append(t.target, float64(target-targetBefore)/ops)
		if o != nil {
			t.cpu = append(t.cpu, used.Seconds()/elapsed.Seconds())
			t.overheadNS = append(t.overheadNS, float64(used)/ops)
		}
		return nil
	})
	if err == nil && o != nil {
		t.allNS = append(t.allNS, float64(o.CPU()-before)/ops)
	}
	return err
}

// accounted is one more observation, which measures the cost of the peer's programs in the kernel.
// The kernel's account has a cost too, so it is off in the turns.
func (b *bench) accounted(ctx context.Context, a activity, t *taken, length time.Duration) error {
	_, err := b.observed(ctx, a, t.peer, func(w *client.Process, o *measure.Observer) error {
		programs, err := measure.AccountPrograms(o.PID)
		if err != nil {
			return err
		}
		defer programs.Close()
		_, before, err := programs.Spent()
		if err != nil {
			return err
		}
		account, _, err := act(ctx, w, length)
		if err != nil {
			return err
		}
		_, after, err := programs.Spent()
		t.kernel = float64(after-before) / float64(account.Ops)
		return err
	})
	return err
}

// observed starts the workload, which waits, and the peer, calls see, and ends both. It returns the
// observer, nil for a peer without a process.
func (b *bench) observed(ctx context.Context, a activity, p *peer,
	see func(*client.Process, *measure.Observer) error) (o *measure.Observer, err error) {
	dir, err := os.MkdirTemp(b.dir, "turn-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(ctx, turnLimit)
	defer cancel()
	args := append(append([]string{}, a.args...), "-hold")
	w, err := measure.StartWorkload(ctx, b.workload, append(args, p.filled(p.args, 0, dir, "")...)...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.End()) }()
	if p.command != nil {
		o, err = measure.Observe(ctx, p.filled(p.command, w.PID, dir, b.pinwatch), p.ready(w.PID, dir))
		if err != nil {
			return nil, err
		}
		defer func() {
			_, endErr := o.End()
			err = errors.Join(err, endErr)
		}()
	}
	return o, see(w, o)
}

// act lets the workload work for a while.
func act(ctx context.Context, w *client.Process, length time.Duration) (*workload.Account, time.Duration, error) {
	began := time.Now()
	if err := w.Go(); err != nil {
		return nil, 0, err
	}
	select {
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	case <-time.After(length):
	}
	account, err := w.Quiesce()
	return account, time.Since(began), err
}

func cpuOf(o *measure.Observer) (time.Duration, error) {
	if o == nil {
		return 0, nil
	}
	return measure.CPUTime(o.PID)
}
