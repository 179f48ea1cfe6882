package measure

import (
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

// Programs are BPF programs of a process that the kernel accounts for.
type Programs struct {
	list  []*ebpf.Program
	stats interface{ Close() error }
}

// AccountPrograms makes the kernel account for the BPF programs that a process holds now, until
// Close. The account itself costs each run about 100 ns, of which it shows about 55.
func AccountPrograms(pid int) (*Programs, error) {
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		return nil, fmt.Errorf("enable BPF statistics: %w", err)
	}
	p := &Programs{stats: stats}
	seen := map[uint32]bool{}
	for _, o := range procfs.Process(pid).BPFObjects() {
		if o.Kind != "prog" || seen[o.ID] { // a program and its link
			continue
		}
		seen[o.ID] = true
		prog, err := ebpf.NewProgramFromID(ebpf.ProgramID(o.ID))
		if err != nil {
			return nil, fmt.Errorf("open program %d: %w", o.ID, err)
		}
		p.list = append(p.list, prog)
	}
	return p, nil
}

// Spent returns how often the programs ran, and for how long, since AccountPrograms.
func (p *Programs) Spent() (runs uint64, spent time.Duration, err error) {
	for _, prog := range p.list {
		st, err := prog.Stats()
		if err != nil {
			return 0, 0, fmt.Errorf("read BPF statistics: %w", err)
		}
		runs += st.RunCount
		spent += st.Runtime
	}
	return runs, spent, nil
}

// Close ends the account.
func (p *Programs) Close() {
	for _, prog := range p.list {
		prog.Close()
	}
	p.stats.Close()
}
