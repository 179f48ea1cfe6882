package verify

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/gosource"
)

// release is a GOROOT whose runtime has the calls that the specification names, which no release
// has.
var release = map[string]string{
	"proc.go": "package runtime\nfunc LockOSThread() { dolockOSThread() }\nfunc dolockOSThread() {}\n",
	"os_darwin.go": "package runtime\nfunc newosproc() { bsdthread_create() }\n" +
		"func signalM() { pthread_kill() }\n",
	"os_windows.go": "package runtime\nfunc newosproc() { stdcall(_CreateThread) }\n" +
		"func preemptM() { stdcall(_SuspendThread); stdcall(_QueueUserAPC) }\n",
	"os_js.go": "package runtime\n",
}

// The verdicts on other systems follow the source, not the release.
func TestSystemsFollowTheSource(t *testing.T) {
	for _, tt := range []struct {
		what, file, old, new string
		want                 map[string]string
	}{
		{"as specified", "", "", "",
			map[string]string{"O-macos": contract.Holds, "O-windows": contract.Holds, "O-other": contract.Holds}},
		{"as the releases are", "os_darwin.go", "bsdthread_create", "pthread_create",
			map[string]string{"O-macos": contract.HoldsExcept}},
		{"no signal", "os_darwin.go", "pthread_kill()", "/* pthread_kill() */",
			map[string]string{"O-macos": contract.Refuted}},
		{"no APC", "os_windows.go", "stdcall(_QueueUserAPC)", "/* QueueUserAPC */",
			map[string]string{"O-windows": contract.Refuted}},
		{"no suspension", "os_windows.go", "_SuspendThread", "_Other", map[string]string{"O-windows": contract.Refuted}},
		{"a lock that does nothing on wasm", "proc.go", "dolockOSThread() {}",
			"dolockOSThread() { if GOARCH == \"wasm\" { return } }",
			map[string]string{"O-other": contract.HoldsExcept}},
		{"a lock of Linux alone", "proc.go", "package runtime", "//go:build linux\n\npackage runtime",
			map[string]string{"O-other": contract.Refuted}},
	} {
		goroot := t.TempDir()
		dir := filepath.Join(goroot, "src", "runtime")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range release {
			if name == tt.file {
				text = strings.Replace(text, tt.old, tt.new, 1)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		l := &Lab{GoVersion: "go1.26.8",
			Source: func(context.Context) (*gosource.Tree, error) { return gosource.Open(goroot) },
			Goroot: func(context.Context) (string, error) { return "", errors.New("nothing is built here") }}
		var ids []string
		for id := range tt.want {
			ids = append(ids, id)
		}
		for id, o := range judge(t, l, ids...) {
			if o.Verdict != tt.want[id] {
				t.Errorf("%s: %s %s, want %s; %s", tt.what, id, o.Verdict, tt.want[id], o.Why)
			}
		}
	}
}
