package loader

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Statistics are on for a slice of every period. While on, they cost each run of each BPF program
// on the machine about 100 ns, of which about 55 ns are in the figures themselves. Turning them on
// and off patches the kernel's text. The longer an observation, the rarer its slices.
const (
	statsSlice     = 40 * time.Millisecond
	statsPeriod    = time.Second
	statsMaxPeriod = 10 * time.Second
	statsShare     = 10 // a period is this part of the time since the first slice, within the two above
)

// statsWait is the time from the end of one slice to the beginning of the next.
func statsWait(sinceFirst time.Duration) time.Duration {
	return min(max(statsPeriod, sinceFirst/statsShare), statsMaxPeriod) - statsSlice
}

// ProgramStats holds the kernel's statistics of one program (BPF_ENABLE_STATS).
type ProgramStats struct {
	Name    string        // of its hook
	Runs    uint64        // in the measured slices
	Runtime time.Duration // of these runs
	Missed  uint64        // runs since attach that the kernel skipped: the program was already running on that CPU
}

// Stats collects program statistics in slices.
type Stats struct {
	programs []hook

	mu      sync.Mutex
	sum     []ProgramStats
	sampled time.Duration
}

// NewStats begins a collection for the session's programs.
func (s *Shared) NewStats() *Stats {
	st := &Stats{}
	for _, a := range s.attached {
		st.programs = append(st.programs, a.hook)
		st.sum = append(st.sum, ProgramStats{Name: a.name})
	}
	return st
}

// Run measures a slice at once and then one every second, later every ten, until ctx ends.
// fs.ErrPermission means that the kernel refuses its statistics (they need CAP_SYS_ADMIN).
func (st *Stats) Run(ctx context.Context) error {
	for first := time.Now(); ; {
		if err := st.slice(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(statsWait(time.Since(first))):
		}
	}
}

func (st *Stats) slice(ctx context.Context) error {
	on, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		return fmt.Errorf("enable BPF statistics: %w", err)
	}
	defer on.Close()
	before, err := st.read()
	if err != nil {
		return err
	}
	began := time.Now()
	select {
	case <-ctx.Done():
	case <-time.After(statsSlice):
	}
	after, err := st.read()
	if err != nil {
		return err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.sampled += time.Since(began)
	for i := range st.sum {
		st.sum[i].Runs += after[i].Runs - before[i].Runs
		st.sum[i].Runtime += after[i].Runtime - before[i].Runtime
		st.sum[i].Missed = after[i].Missed
	}
	return nil
}

func (st *Stats) read() ([]ProgramStats, error) {
	now := make([]ProgramStats, len(st.programs))
	for i, p := range st.programs {
		s, err := p.prog.Stats()
		if err != nil {
			return nil, fmt.Errorf("read statistics of %s: %w", p.name, err)
		}
		now[i] = ProgramStats{Name: p.name, Runs: s.RunCount, Runtime: s.Runtime, Missed: s.RecursionMisses}
	}
	return now, nil
}

// Sum returns the figures so far and the time over which they were measured; 0 = there are none
// yet.
func (st *Stats) Sum() ([]ProgramStats, time.Duration) {
	st.mu.Lock()
	defer st.mu.Unlock()
	return slices.Clone(st.sum), st.sampled
}

// Missed counts the program runs that the kernel has skipped since attach, by hook. There are none
// before Linux 5.12, which does not count them.
func (st *Stats) Missed() (map[string]uint64, error) {
	now, err := st.read()
	missed := map[string]uint64{}
	for _, p := range now {
		missed[p.Name] += p.Missed
	}
	if errors.Is(err, ebpf.ErrNotSupported) {
		return missed, nil
	}
	return missed, err
}
