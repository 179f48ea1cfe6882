package loader

import (
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// ns sums what one program took.
type ns struct {
	runs    uint64
	runtime time.Duration
}

func (n *ns) begin(b *testing.B, p *ebpf.Program) { n.add(b, p, -1) }
func (n *ns) end(b *testing.B, p *ebpf.Program)   { n.add(b, p, 1) }

func (n *ns) add(b *testing.B, p *ebpf.Program, sign int64) {
	st, err := p.Stats()
	if err != nil {
		b.Fatal(err)
	}
	n.runs += uint64(sign) * st.RunCount
	n.runtime += time.Duration(sign) * st.Runtime
}

func (n *ns) perRun() float64 { return float64(n.runtime) / float64(n.runs) }

// enableStats has the kernel account for every BPF program until the test ends.
func enableStats(b *testing.B) {
	b.Helper()
	on, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { on.Close() })
}

// attachEmpty puts a program that does nothing on a hook, until the test ends: the floor of what any program there costs.
func attachEmpty(b *testing.B, h hook) *ebpf.Program {
	b.Helper()
	spec := &ebpf.ProgramSpec{
		Name: "empty", License: "GPL", Type: ebpf.TracePoint,
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	}
	if h.syscall == "" {
		spec.Type, spec.AttachType, spec.AttachTo = ebpf.Tracing, ebpf.AttachTraceRawTp, h.family
	}
	p, err := ebpf.NewProgram(spec)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { p.Close() })
	if h.syscall == "" {
		l, err := link.AttachTracing(link.TracingOptions{Program: p})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { l.Close() })
		return p
	}
	tracefs, err := openTracefs()
	if err != nil {
		b.Fatal(err)
	}
	defer tracefs.Close()
	id, err := tracepointID(tracefs, h.syscall)
	if err != nil {
		b.Fatal(err)
	}
	fd, err := attachTracepoint(id, p.FD())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { unix.Close(fd) })
	return p
}
