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

// probeKernel checks that the running kernel can be observed, and whether its sched_switch passes
// the previous task's state. An *unsupportedError names a missing feature, a *permissionError a
// missing permission.
func probeKernel(cache *btf.Cache) (hasState bool, err error) {
	types, err := kernelTypes(cache)
	if err != nil {
		return false, err
	}
	if hasState, err = switchHasState(types); err != nil {
		return false, err
	}
	if err := features.HaveMapType(ebpf.RingBuf); errors.Is(err, ebpf.ErrNotSupported) {
		return false, &unsupportedError{what: "BPF ring buffer", min: "Linux 5.8", err: err}
	} else if err != nil {
		return false, explainLoad("create a BPF ring buffer", err)
	}
	return hasState, nil
}

// kernelTypes reads the kernel's types into the cache. This takes some 35 ms.
func kernelTypes(cache *btf.Cache) (*btf.Spec, error) {
	types, err := cache.Kernel()
	if err != nil {
		return nil, btfError(err)
	}
	return types, nil
}

const (
	btfFile  = "/sys/kernel/btf/vmlinux"
	btfSince = "Linux 5.5 built with CONFIG_DEBUG_INFO_BTF=y"
)

func btfError(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return &permissionError{op: "read the kernel's type information (" + btfFile + ")", err: err}
	}
	if _, statErr := os.Stat(btfFile); statErr != nil {
		return &unsupportedError{what: "BTF type information (" + btfFile + ")", min: btfSince}
	}
	return fmt.Errorf("read the kernel's type information: %w", err)
}

// switchHasState reads the signature of the tracepoint: context pointer, preempt, prev, next and,
// since 5.18, prev_state.
func switchHasState(types *btf.Spec) (bool, error) {
	const name = "btf_trace_sched_switch"
	var def *btf.Typedef
	if err := types.TypeByName(name, &def); err != nil {
		return false, &unsupportedError{what: "BTF tracepoint sched_switch", min: btfSince, err: err}
	}
	ptr, ok := def.Type.(*btf.Pointer)
	if !ok {
		return false, fmt.Errorf("kernel type %s is a %T, want a pointer", name, def.Type)
	}
	proto, ok := ptr.Target.(*btf.FuncProto)
	if !ok {
		return false, fmt.Errorf("kernel type %s points to a %T, want a function", name, ptr.Target)
	}
	return len(proto.Params) >= 5, nil
}
