// Package capability says what this process may do: its Linux capabilities and the kernel's lockdown level.
package capability

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// A Cap is a Linux capability by its number in include/uapi/linux/capability.h.
type Cap uint

// The capabilities that pinwatch asks about.
const (
	DACReadSearch Cap = 2  // read files whatever their mode: executables, /proc/PID/mem of other users
	SysPtrace     Cap = 19 // inspect processes of other users
	SysAdmin      Cap = 21 // everything BPF and PERFMON allow, and BPF statistics, which those do not
	SysResource   Cap = 24 // raise RLIMIT_MEMLOCK, which BPF maps count against before Linux 5.11
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

// String returns the name the kernel's headers use, such as CAP_BPF.
func (c Cap) String() string {
	if name, ok := names[c]; ok {
		return name
	}
	return fmt.Sprintf("capability %d", uint(c))
}

// A Set is a set of capabilities, bit n for the capability of number n.
type Set uint64

// Effective returns the capabilities in force for the calling thread, which are those of
// every thread unless one has changed its own, from /proc/thread-self/status.
func Effective() (Set, error) {
	status, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		return 0, fmt.Errorf("read capabilities: %w", err)
	}
	return parseStatus(status)
}

// Has reports whether c is in the set, or implied by it: since Linux 5.8 CAP_SYS_ADMIN implies CAP_BPF and CAP_PERFMON.
func (s Set) Has(c Cap) bool {
	if (c == BPF || c == Perfmon) && s&(1<<SysAdmin) != 0 {
		return true
	}
	return s&(1<<c) != 0
}

// Missing returns those of need that the set does not have, in the order given.
func (s Set) Missing(need ...Cap) []Cap {
	var missing []Cap
	for _, c := range need {
		if !s.Has(c) {
			missing = append(missing, c)
		}
	}
	return missing
}

// Has reports whether c is in force for this process. Whoever needs several answers takes Effective once.
func Has(c Cap) (bool, error) {
	s, err := Effective()
	return s.Has(c), err
}

// Missing returns those of need that are not in force for this process.
func Missing(need ...Cap) ([]Cap, error) {
	s, err := Effective()
	if err != nil {
		return nil, err
	}
	return s.Missing(need...), nil
}

func parseStatus(status []byte) (Set, error) {
	lines := bufio.NewScanner(bytes.NewReader(status))
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "CapEff:"); ok {
			bits, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			if err != nil {
				return 0, fmt.Errorf("read capabilities: %w", err)
			}
			return Set(bits), nil
		}
	}
	return 0, errors.New("read capabilities: no line CapEff")
}
