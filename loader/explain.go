package loader

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/cilium/ebpf"

	"github.com/pinwatch/pinwatch/internal/capability"
)

// Needed are the capabilities that observing takes: BPF to load, PERFMON to trace.
var Needed = []capability.Cap{capability.BPF, capability.Perfmon}

func explainLoad(op string, err error) error { return explain(op, err, Needed...) }

// Attaching also opens tracefs, whose directory belongs to root.
func explainAttach(op string, err error) error {
	return explain(op, err, append([]capability.Cap{capability.DACReadSearch}, Needed...)...)
}

// explain turns a refusal of the kernel into what was refused, why, and what helps.
func explain(op string, err error, need ...capability.Cap) error {
	if errors.Is(err, ebpf.ErrNotSupported) {
		return &UnsupportedError{What: op, Min: "Linux 5.10", Err: err}
	}
	if !errors.Is(err, fs.ErrPermission) { // EPERM and EACCES
		return fmt.Errorf("%s: %w", op, err)
	}
	refused := &PermissionError{Op: op, Err: err}
	if missing, capErr := capability.Missing(need...); capErr == nil {
		for _, c := range missing {
			refused.Missing = append(refused.Missing, c.String())
		}
	}
	if len(refused.Missing) == 0 {
		if mode, _ := capability.Lockdown(); mode == "confidentiality" {
			refused.Why = "the kernel runs with lockdown=confidentiality, which forbids tracing; boot it with lockdown=integrity or less"
		}
	}
	return refused
}
