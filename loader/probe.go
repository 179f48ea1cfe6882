package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
)

// Kernel is what the running kernel offers of the things that differ between kernels.
type Kernel struct {
	SwitchHasState bool // sched_switch says the previous task's state
}

// probeKernel asks the running kernel. An *UnsupportedError names what pinwatch cannot do without, a *PermissionError what
// the caller may not do.
func probeKernel(cache *btf.Cache) (Kernel, error) {
	var k Kernel
	types, err := kernelTypes(cache)
	if err != nil {
		return k, err
	}
	if k.SwitchHasState, err = switchHasState(types); err != nil {
		return k, err
	}
	if err := features.HaveMapType(ebpf.RingBuf); errors.Is(err, ebpf.ErrNotSupported) {
		return k, &UnsupportedError{What: "BPF ring buffer", Min: "Linux 5.8", Err: err}
	} else if err != nil {
		return k, explainLoad("create a BPF ring buffer", err)
	}
	return k, nil
}

// kernelTypes reads the kernel's types into the cache: 35 ms.
func kernelTypes(cache *btf.Cache) (*btf.Spec, error) {
	types, err := cache.Kernel()
	if err != nil {
		return nil, btfError(err)
	}
	return types, nil
}

func btfError(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return &PermissionError{Op: "read the kernel's type information (/sys/kernel/btf/vmlinux)", Err: err}
	}
	if _, statErr := os.Stat("/sys/kernel/btf/vmlinux"); statErr != nil {
		return &UnsupportedError{What: "BTF type information (/sys/kernel/btf/vmlinux)", Min: "Linux 5.5 built with CONFIG_DEBUG_INFO_BTF=y"}
	}
	return fmt.Errorf("read the kernel's type information: %w", err)
}

// switchHasState looks at the signature of the tracepoint: context pointer, preempt, prev, next and, since 5.18, prev_state.
func switchHasState(types *btf.Spec) (bool, error) {
	var def *btf.Typedef
	if err := types.TypeByName("btf_trace_sched_switch", &def); err != nil {
		return false, &UnsupportedError{What: "BTF tracepoint sched_switch", Min: "Linux 5.5 built with CONFIG_DEBUG_INFO_BTF=y", Err: err}
	}
	ptr, ok := def.Type.(*btf.Pointer)
	if !ok {
		return false, fmt.Errorf("kernel type btf_trace_sched_switch is a %T, want a pointer", def.Type)
	}
	proto, ok := ptr.Target.(*btf.FuncProto)
	if !ok {
		return false, fmt.Errorf("kernel type btf_trace_sched_switch points to a %T, want a function", ptr.Target)
	}
	return len(proto.Params) >= 5, nil
}
