package testenv

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// MountTracefs finds the trace file system. If it is not mounted, it is mounted on a new directory
// until release is called.
func MountTracefs() (dir string, release func(), err error) {
	for _, dir := range []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"} {
		var st unix.Statfs_t
		if unix.Statfs(dir, &st) == nil && st.Type == unix.TRACEFS_MAGIC {
			return dir, func() {}, nil
		}
	}
	dir, err = os.MkdirTemp("", "pinwatch-tracefs-")
	if err != nil {
		return "", nil, fmt.Errorf("mount tracefs: %w", err)
	}
	if err := unix.Mount("tracefs", dir, "tracefs", 0, ""); err != nil {
		os.Remove(dir)
		return "", nil, fmt.Errorf("mount tracefs: %w", err)
	}
	return dir, func() {
		_ = unix.Unmount(dir, unix.MNT_DETACH)
		os.Remove(dir)
	}, nil
}
