package capability

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

// parse returns the effective capabilities in the text of a status.
func parse(text string) (set, error) {
	status, err := procfs.ParseStatus(text)
	if err != nil {
		return 0, err
	}
	return effectiveOf(status)
}

func TestParseStatus(t *testing.T) {
	const status = "Name:\tx\nCapInh:\t0000000000000000\nCapPrm:\t000001ffffffffff\n" +
		"CapEff:\t%\nCapBnd:\t000001ffffffffff\n"
	for _, tt := range []struct {
		eff     string
		missing []Cap
	}{
		{"000001ffffffffff", nil},
		{"0000000000000000", []Cap{BPF, Perfmon, SysAdmin, SysPtrace, DACReadSearch, SysResource}},
		{"000000c000000000", []Cap{SysAdmin, SysPtrace, DACReadSearch, SysResource}}, // BPF and PERFMON
		{"0000000000200000", []Cap{SysPtrace, DACReadSearch, SysResource}},           // SYS_ADMIN implies them
		{"0000000000080004", []Cap{BPF, Perfmon, SysAdmin, SysResource}},             // SYS_PTRACE, DAC_READ_SEARCH
		{"0000000001000000", []Cap{BPF, Perfmon, SysAdmin, SysPtrace, DACReadSearch}},
	} {
		parsed, err := parse(strings.Replace(status, "%", tt.eff, 1))
		if err != nil {
			t.Fatal(err)
		}
		got := parsed.missing(BPF, Perfmon, SysAdmin, SysPtrace, DACReadSearch, SysResource)
		if !slices.Equal(got, tt.missing) {
			t.Errorf("CapEff %s: missing %v, want %v", tt.eff, got, tt.missing)
		}
	}
	for _, bad := range []string{"", "CapPrm:\t00\n", "CapEff:\txyz\n", "CapEff:\t\n"} {
		if parsed, err := parse(bad); err == nil || parsed != 0 {
			t.Errorf("parse(%q) = %#x, %v", bad, parsed, err)
		}
	}
}

func TestNames(t *testing.T) {
	for c, want := range map[Cap]string{
		unix.CAP_BPF: "CAP_BPF", unix.CAP_PERFMON: "CAP_PERFMON", unix.CAP_SYS_ADMIN: "CAP_SYS_ADMIN",
		unix.CAP_SYS_PTRACE: "CAP_SYS_PTRACE", unix.CAP_DAC_READ_SEARCH: "CAP_DAC_READ_SEARCH",
		unix.CAP_SYS_RESOURCE: "CAP_SYS_RESOURCE", 63: "capability 63",
	} {
		if c.String() != want {
			t.Errorf("%d is %s, want %s", uint(c), c, want)
		}
	}
}

// capget(2) returns the same set, also on a thread that has dropped its capabilities.
func TestEffective(t *testing.T) {
	compare := func() {
		t.Helper()
		var data [2]unix.CapUserData
		if err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]); err != nil {
			t.Fatal(err)
		}
		want := set(data[1].Effective)<<32 | set(data[0].Effective)
		if got, err := effective(); err != nil || got != want {
			t.Errorf("effective() = %#x, %v; capget has %#x", got, err, want)
		}
	}
	done := make(chan struct{})
	go func() { // its thread ends with it, and so do the dropped capabilities
		defer close(done)
		runtime.LockOSThread()
		compare()
		header, none := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, [2]unix.CapUserData{}
		if err := unix.Capset(&header, &none[0]); err != nil {
			t.Error(err)
		}
		compare()
		if has, err := Has(BPF); has || err != nil {
			t.Errorf("Has(BPF) = %t, %v after all were dropped", has, err)
		}
		if missing, err := Missing(BPF, SysPtrace); err != nil || !slices.Equal(missing, []Cap{BPF, SysPtrace}) {
			t.Errorf("Missing = %v, %v after all were dropped", missing, err)
		}
	}()
	<-done
}

func TestLockdown(t *testing.T) {
	for _, tt := range []struct {
		file, cmdline string // "-" = no such file
		want          string
		err           error
	}{
		{"[none] integrity confidentiality\n", "lockdown=integrity", LockdownNone, nil},
		{"none [integrity] confidentiality\n", "-", LockdownIntegrity, nil},
		{"none integrity [confidentiality]\n", "", LockdownConfidentiality, nil},
		{"-", "quiet lockdown=confidentiality -- x\n", LockdownConfidentiality, errFromCommandLine},
		{"-", "lockdown=confidentiality lockdown=integrity\n", LockdownConfidentiality, errFromCommandLine},
		{"-", "lockdown=integrity\n", LockdownIntegrity, errFromCommandLine},
		{"-", "quiet -- lockdown=integrity\n", LockdownUnknown, fs.ErrNotExist},
		{"-", "lockdown= nolockdown=integrity lockdown=x\n", LockdownUnknown, fs.ErrNotExist},
		{"-", "lockdown\n", LockdownUnknown, fs.ErrNotExist},
		{"-", "-", LockdownUnknown, fs.ErrNotExist},
	} {
		got, err := lockdown(func(name string) ([]byte, error) {
			text := map[string]string{lockdownFile: tt.file, cmdlineFile: tt.cmdline}[name]
			if text == "-" {
				return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
			}
			return []byte(text), nil
		})
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%+v: got %s, %v", tt, got, err)
		}
	}
	for _, bad := range []string{"", "none integrity", "[]", "[x]", "[none", "none]"} {
		if level, err := parseLockdown(bad); level != LockdownUnknown || err == nil {
			t.Errorf("parseLockdown(%q) = %s, %v", bad, level, err)
		}
	}
}

// The level of this kernel is one of the four words, and LockdownUnknown comes with a reason.
func TestLockdownHere(t *testing.T) {
	level, err := Lockdown()
	if !known(level) && (level != LockdownUnknown || err == nil) {
		t.Errorf("Lockdown() = %q, %v", level, err)
	}
	if _, statErr := os.Stat(lockdownFile); statErr == nil && err != nil {
		t.Errorf("Lockdown() = %q, %v though %s exists", level, err, lockdownFile)
	}
	t.Log(level, err)
}
