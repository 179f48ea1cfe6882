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
	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/capability"
)

// needed are the capabilities that an observation takes: BPF to load, PERFMON to trace.
var needed = []capability.Cap{capability.BPF, capability.Perfmon}

// neededToAttach are the capabilities that attaching takes. It opens tracefs, whose directory
// belongs to root.
var neededToAttach = append([]capability.Cap{capability.DACReadSearch}, needed...)

// checkPrivileges names all missing capabilities at once, before the kernel refuses single
// operations. It also lifts RLIMIT_MEMLOCK, which limits BPF memory before Linux 5.11. Where that
// is refused and matters, loading is refused too.
func checkPrivileges() error {
	missing, err := capability.Missing(neededToAttach...)
	if err != nil {
		return nil // the kernel will refuse what is missing
	}
	for _, c := range needed {
		if slices.Contains(missing, c) {
			return &permissionError{op: "observe a process", missing: capNames(missing), err: fs.ErrPermission}
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

func explainLoad(op string, err error) error   { return explain(op, err, needed...) }
func explainAttach(op string, err error) error { return explain(op, err, neededToAttach...) }

// explain adds to a refusal of the kernel the operation, the reason and a remedy.
func explain(op string, err error, need ...capability.Cap) error {
	// Lockdown appears in many forms: EPERM, helpers that programs may not use, an empty tracefs.
	if lockedDown() {
		return &permissionError{op: op, why: lockdownReason, err: err}
	}
	if errors.Is(err, ebpf.ErrNotSupported) {
		return &unsupportedError{what: "way to " + op, min: "Linux 5.10", err: err}
	}
	if !errors.Is(err, fs.ErrPermission) && !errors.Is(err, unix.ENOSYS) { // EPERM, EACCES; a seccomp filter's choice
		return fmt.Errorf("%s: %w", op, err)
	}
	refused := &permissionError{op: op, err: err}
	if file := (*fs.PathError)(nil); errors.As(err, &file) {
		// A program with file capabilities may not even open its own /proc/self/mem, in which the kernel's
		// release is read (PR_SET_DUMPABLE in prctl(2)).
		need = append(slices.Clone(need), capability.DACReadSearch)
	}
	if missing, capErr := capability.Missing(need...); capErr == nil {
		refused.missing = capNames(missing)
	}
	if len(refused.missing) == 0 {
		refused.why = refusalReason()
	}
	return refused
}

const lockdownReason = "the kernel runs with lockdown=confidentiality, which forbids tracing; " +
	"boot it with lockdown=integrity or less"

// lockedDown reports whether kernel lockdown forbids tracing.
func lockedDown() bool {
	mode, _ := capability.Lockdown()
	return mode == capability.LockdownConfidentiality
}

// initialUIDs is the length of the only range in the uid_map of the initial user namespace.
const initialUIDs = "4294967295"

// refusalReason finds what other than capabilities may forbid BPF; "" if it finds nothing.
func refusalReason() string {
	ids, err := os.ReadFile("/proc/self/uid_map")
	if fields := strings.Fields(string(ids)); err == nil && len(fields) == 3 && fields[2] != initialUIDs {
		return "the capabilities are those of a user namespace and do not reach the kernel; run it outside, as root"
	}
	if mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0); err == nil && mode == unix.SECCOMP_MODE_FILTER {
		return "a seccomp filter, as those of containers, may forbid bpf(2) or perf_event_open(2); run it outside"
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		return "RLIMIT_MEMLOCK may be too low, and raising it takes CAP_SYS_RESOURCE"
	}
	return ""
}
