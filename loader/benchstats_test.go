package loader

import (
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// ns sums the runs of one program and their time.
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

// enableStats enables the kernel's BPF statistics until the test ends.
func enableStats(b *testing.B) {
	b.Helper()
	on, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { on.Close() })
}

// emptyProgram is an empty program for a tracepoint.
func emptyProgram(tracepoint string) *ebpf.ProgramSpec {
	spec := &ebpf.ProgramSpec{
		Name: "empty", License: "GPL", Type: ebpf.TracePoint,
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	}
	if !strings.HasPrefix(tracepoint, "sys_") {
		spec.Type, spec.AttachType, spec.AttachTo = ebpf.Tracing, ebpf.AttachTraceRawTp, tracepoint
	}
	return spec
}

// attachEmpty puts an empty program on a tracepoint until the test ends: the least cost of any
// program there.
func attachEmpty(b *testing.B, tracepoint string) *ebpf.Program {
	b.Helper()
	spec := emptyProgram(tracepoint)
	p, err := ebpf.NewProgram(spec)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { p.Close() })
	if spec.Type == ebpf.Tracing {
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
	id, err := tracepointID(tracefs, tracepoint)
	if err != nil {
		b.Fatal(err)
	}
	event, err := attachTracepoint(id, p.FD())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { event.Close() })
	return p
}
