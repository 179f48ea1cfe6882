// Package capability reads what this process may do: its Linux capabilities and the kernel's
// lockdown level.
package capability

import (
	"errors"
	"fmt"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

// A Cap is a Linux capability by its number in include/uapi/linux/capability.h.
type Cap uint

// The capabilities that matter to pinwatch.
const (
	DACReadSearch Cap = 2  // read files whatever their mode: executables, /proc/PID/mem of other users
	SysPtrace     Cap = 19 // inspect processes of other users
	SysAdmin      Cap = 21 // all that BPF and PERFMON permit, and BPF statistics, which they do not
	SysResource   Cap = 24 // raise RLIMIT_MEMLOCK, which limits BPF maps before Linux 5.11
	Perfmon       Cap = 38 // load tracing programs and attach them; Linux 5.8
	BPF           Cap = 39 // create maps, load programs; Linux 5.8
)

var names = map[Cap]string{
	DACReadSearch: "CAP_DAC_READ_SEARCH",
	SysPtrace:     "CAP_SYS_PTRACE",
	SysAdmin:      "CAP_SYS_ADMIN",
	SysResource:   "CAP_SYS_RESOURCE",
	Perfmon:       "CAP_PERFMON",
	BPF:           "CAP_BPF",
}

// String returns the name in the kernel's headers, such as CAP_BPF.
func (c Cap) String() string {
	if name, ok := names[c]; ok {
		return name
	}
	return fmt.Sprintf("capability %d", uint(c))
}

// A set of capabilities: bit n is the capability of number n.
type set uint64

// effective returns the calling thread's effective capabilities, from /proc/thread-self/status. All
// threads have the same ones unless one has changed them for itself.
func effective() (set, error) {
	status, err := procfs.SelfThread.Status()
	if err != nil {
		return 0, fmt.Errorf("read capabilities: %w", err)
	}
	return effectiveOf(status)
}

// has reports whether c is in the set or implied by it: since Linux 5.8 CAP_SYS_ADMIN implies
// CAP_BPF and CAP_PERFMON.
func (s set) has(c Cap) bool {
	if (c == BPF || c == Perfmon) && s&(1<<SysAdmin) != 0 {
		return true
	}
	return s&(1<<c) != 0
}

// missing returns the capabilities of need that the set lacks, in the order of need.
func (s set) missing(need ...Cap) []Cap {
	var missing []Cap
	for _, c := range need {
		if !s.has(c) {
			missing = append(missing, c)
		}
	}
	return missing
}

// Has reports whether the calling thread has c.
func Has(c Cap) (bool, error) {
	s, err := effective()
	return s.has(c), err
}

// Missing returns the capabilities of need that the calling thread lacks, in the order of need.
func Missing(need ...Cap) ([]Cap, error) {
	s, err := effective()
	if err != nil {
		return nil, err
	}
	return s.missing(need...), nil
}

func effectiveOf(status procfs.Status) (set, error) {
	if status.Effective == nil {
		return 0, errors.New("read capabilities: no line CapEff")
	}
	return set(*status.Effective), nil
}
