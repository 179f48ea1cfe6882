package loader

import (
	"fmt"

	"github.com/cilium/ebpf"

	"github.com/pinwatch/pinwatch/bpf"
)

// kernelSide is the kernel side before it is loaded: its programs, maps and constants under the
// names that they have in C.
type kernelSide struct {
	*ebpf.CollectionSpec
	bpf.PinwatchSpecs
}

// newKernelSide copies spec, so that what is set affects one load only.
func newKernelSide(spec *ebpf.CollectionSpec) (*kernelSide, error) {
	k := &kernelSide{CollectionSpec: spec.Copy()}
	if err := k.CollectionSpec.Assign(&k.PinwatchSpecs); err != nil {
		return nil, fmt.Errorf("read embedded programs: %w", err)
	}
	return k, nil
}

// A setting is a constant of bpf/config.h or bpf/overhead.h and its value for one load.
type setting struct {
	constant *ebpf.VariableSpec
	value    any
}

func set(settings ...setting) error {
	for _, s := range settings {
		if err := s.constant.Set(s.value); err != nil {
			return fmt.Errorf("set %s: %w", s.constant.Name, err)
		}
	}
	return nil
}
