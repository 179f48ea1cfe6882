package loader

import (
	"testing"

	"github.com/cilium/ebpf/asm"

	"github.com/pinwatch/pinwatch/bpf"
)

// A program and its callees fit into the stack of kernels before 6.13: 512 bytes, each frame
// rounded up to 32 (check_max_stack_depth in kernel/bpf/verifier.c).
func TestStackFits(t *testing.T) {
	spec, err := bpf.LoadPinwatch()
	if err != nil {
		t.Fatal(err)
	}
	for name, prog := range spec.Programs {
		frames, calls, first := stackFrames(prog.Instructions)
		if depth := stackDepth(first, frames, calls); depth > 512 {
			t.Errorf("%s: %d bytes: frames %v, calls %v", name, depth, frames, calls)
		}
	}
}

// stackFrames finds how deep each function of a program reaches below its frame pointer, and the
// functions that it calls.
func stackFrames(insns asm.Instructions) (frames map[string]int, calls map[string][]string, first string) {
	frames, calls = map[string]int{}, map[string][]string{}
	var fn string
	var points [11]bool // registers that hold the unchanged frame pointer
	for i, ins := range insns {
		if s := ins.Symbol(); s != "" {
			fn, points = s, [11]bool{}
		}
		if i == 0 {
			first = fn
		}
		depth := 0
		switch op := ins.OpCode; {
		case ins.IsFunctionReference() && op.JumpOp() == asm.Call:
			calls[fn] = append(calls[fn], ins.Reference())
		case op.Class().IsALU() && op.ALUOp() == asm.Mov && op.Source() == asm.RegSource:
			points[ins.Dst] = ins.Src == asm.RFP
		case op.Class().IsALU() && op.ALUOp() == asm.Add && op.Source() == asm.ImmSource && points[ins.Dst]:
			depth, points[ins.Dst] = -int(ins.Constant), false
		case op.Class().IsStore() && ins.Dst == asm.RFP, op.Class().IsLoad() && ins.Src == asm.RFP:
			depth = -int(ins.Offset)
		}
		frames[fn] = max(frames[fn], depth)
	}
	return frames, calls, first
}

func stackDepth(fn string, frames map[string]int, calls map[string][]string) int {
	below := 0
	for _, callee := range calls[fn] {
		below = max(below, stackDepth(callee, frames, calls))
	}
	return max(32, (frames[fn]+31)/32*32) + below
}
