package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"

	"github.com/pinwatch/pinwatch/internal/capability"
)

// Needed are the capabilities that observing takes: BPF to load, PERFMON to trace.
var Needed = []capability.Cap{capability.BPF, capability.Perfmon}

// checkPrivileges names all that is missing at once, before the kernel refuses things one by one. It also lifts
// RLIMIT_MEMLOCK, which BPF memory counts against before Linux 5.11; where that is refused and matters, loading will be too.
func checkPrivileges() error {
	missing, err := capability.Missing(append([]capability.Cap{capability.DACReadSearch}, Needed...)...)
	if err != nil {
		return nil // the kernel will tell
	}
	for _, c := range Needed {
		if slices.Contains(missing, c) {
			return &PermissionError{Op: "observe a process", Missing: capNames(missing), Err: fs.ErrPermission}
		}
	}
	_ = rlimit.RemoveMemlock()
	return nil
}

func capNames(caps []capability.Cap) (names []string) {
	for _, c := range caps {
		names = append(names, c.String())
	}
	return names
}

func explainLoad(op string, err error) error { return explain(op, err, Needed...) }

// Attaching also opens tracefs, whose directory belongs to root.
func explainAttach(op string, err error) error {
	return explain(op, err, append([]capability.Cap{capability.DACReadSearch}, Needed...)...)
}

// explain turns a refusal of the kernel into what was refused, why, and what helps.
func explain(op string, err error, need ...capability.Cap) error {
	if locked() { // it shows in many ways: EPERM, helpers that programs may not use, an empty tracefs
		return &PermissionError{Op: op, Why: lockedDown, Err: err}
	}
	if errors.Is(err, ebpf.ErrNotSupported) {
		return &UnsupportedError{What: "way to " + op, Min: "Linux 5.10", Err: err}
	}
	if !errors.Is(err, fs.ErrPermission) { // EPERM and EACCES
		return fmt.Errorf("%s: %w", op, err)
	}
	refused := &PermissionError{Op: op, Err: err}
	if missing, capErr := capability.Missing(need...); capErr == nil {
		refused.Missing = capNames(missing)
	}
	if len(refused.Missing) == 0 {
		refused.Why = whyRefused()
	}
	return refused
}

const lockedDown = "the kernel runs with lockdown=confidentiality, which forbids tracing; boot it with lockdown=integrity or less"

func locked() bool {
	mode, _ := capability.Lockdown()
	return mode == capability.LockdownConfidentiality
}

// whyRefused looks for what else than capabilities can forbid BPF; "" when nothing is found.
func whyRefused() string {
	if ids, err := os.ReadFile("/proc/self/uid_map"); err == nil && len(strings.Fields(string(ids))) == 3 && strings.Fields(string(ids))[2] != "4294967295" {
		return "the capabilities are those of a user namespace, which do not reach the kernel; run it outside, as root"
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		return "RLIMIT_MEMLOCK may be too low and could not be raised, which takes CAP_SYS_RESOURCE"
	}
	return ""
}
