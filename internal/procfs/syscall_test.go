package procfs_test

import (
	"go/build"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// TestSyscallNames compares the lists of names with the constants of golang.org/x/sys, and writes
// them with -update.
func TestSyscallNames(t *testing.T) {
	for number, want := range map[int]string{
		unix.SYS_READ: "read", unix.SYS_FUTEX: "futex", unix.SYS_EPOLL_PWAIT: "epoll_pwait",
		unix.SYS_FUTEX_WAITV: "futex_waitv",
		99999:                "syscall 99999",
	} {
		if got := (procfs.Syscall{Number: number}).Name(); got != want {
			t.Errorf("%d: %q, want %q", number, got, want)
		}
	}
	testenv.Require(t, testenv.Toolchain)
	unixPackage, err := build.Import("golang.org/x/sys/unix", ".", build.FindOnly)
	if err != nil {
		t.Fatal(err)
	}
	constant := regexp.MustCompile(`(?m)^\tSYS_(\w+)\s+= (\d+)$`)
	for _, arch := range []string{"amd64", "arm64"} {
		source, err := os.ReadFile(filepath.Join(unixPackage.Dir, "zsysnum_linux_"+arch+".go"))
		if err != nil {
			t.Fatal(err)
		}
		var list strings.Builder
		for _, m := range constant.FindAllStringSubmatch(string(source), -1) {
			list.WriteString(m[2] + " " + strings.ToLower(m[1]) + "\n")
		}
		testenv.Golden(t, "syscalls_"+arch+".txt", []byte(list.String()))
	}
}
