package capability

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Lockdown levels that Lockdown returns (include/linux/security.h, enum lockdown_reason). Integrity
// refuses BPF programs that write user memory. Confidentiality also refuses kprobes, tracefs and
// helpers that read kernel memory.
const (
	LockdownNone            = "none"
	LockdownIntegrity       = "integrity"
	LockdownConfidentiality = "confidentiality"
	LockdownUnknown         = "unknown"
)

const (
	lockdownFile = "/sys/kernel/security/lockdown"
	cmdlineFile  = "/proc/cmdline"
)

// errFromCommandLine means that the level in force was not readable, and that the returned one is
// the kernel's boot parameter. The level may have been raised since, or be built in.
var errFromCommandLine = errors.New("from the kernel's command line")

// Lockdown returns the kernel's lockdown level, one of the four words above, from
// /sys/kernel/security/lockdown. If that file is missing (no securityfs mounted, no lockdown in
// this kernel) or not readable, the level is that of lockdown= in /proc/cmdline, or
// LockdownUnknown. Then the error is the reason.
func Lockdown() (string, error) {
	return lockdown(os.ReadFile)
}

func lockdown(read func(name string) ([]byte, error)) (string, error) {
	text, err := read(lockdownFile)
	if err == nil {
		return parseLockdown(string(text))
	}
	reason := fmt.Errorf("read lockdown level: %w", err)
	if errors.Is(err, fs.ErrNotExist) {
		reason = fmt.Errorf("no %s (securityfs not mounted, or a kernel without lockdown): %w", lockdownFile, err)
	}
	cmdline, err := read(cmdlineFile)
	if err != nil {
		return LockdownUnknown, errors.Join(reason, fmt.Errorf("read kernel command line: %w", err))
	}
	if level := cmdlineLockdown(string(cmdline)); level != LockdownUnknown {
		return level, fmt.Errorf("%w: %w", errFromCommandLine, reason)
	}
	return LockdownUnknown, reason
}

// parseLockdown parses "none [integrity] confidentiality": the level in force is in brackets.
func parseLockdown(text string) (string, error) {
	for _, word := range strings.Fields(text) {
		if level, ok := strings.CutPrefix(word, "["); ok {
			if level, ok = strings.CutSuffix(level, "]"); ok && known(level) {
				return level, nil
			}
		}
	}
	return LockdownUnknown, fmt.Errorf("read lockdown level: %s holds %.80q", lockdownFile, text)
}

// cmdlineLockdown returns the highest level of all lockdown= parameters: the kernel handles them in
// order and only raises the level (security/lockdown/lockdown.c). Words after "--" are for init.
func cmdlineLockdown(cmdline string) string {
	level := LockdownUnknown
	for _, word := range strings.Fields(cmdline) {
		if word == "--" {
			break
		}
		switch strings.TrimPrefix(word, "lockdown=") {
		case word:
		case LockdownConfidentiality:
			level = LockdownConfidentiality
		case LockdownIntegrity:
			if level != LockdownConfidentiality {
				level = LockdownIntegrity
			}
		}
	}
	return level
}

func known(level string) bool {
	return level == LockdownNone || level == LockdownIntegrity || level == LockdownConfidentiality
}
