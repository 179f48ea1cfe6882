package verify

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/gosource"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/toolchain"
)

// Programs built for other systems agree with the source of the release.
func TestProgramsOfOtherSystems(t *testing.T) {
	testenv.Require(t, testenv.Toolchain)
	for id, o := range judge(t, released(t, BuiltinRelease()[len("go"):]), "O-windows", "O-macos", "O-other") {
		want := contract.HoldsExcept
		if id == "O-windows" {
			want = contract.Refuted
		}
		if o.Verdict != want {
			t.Errorf("%s: %s, want %s: got %s, why %s", id, o.Verdict, want, o.Got, o.Why)
		}
		for _, w := range o.Warnings {
			t.Logf("%s: %s", id, w)
		}
	}
}

// Each release reaches the functions of the system over the calls that its source has.
func TestCalls(t *testing.T) {
	testenv.Require(t, testenv.Toolchain)
	for release, newosproc := range map[string]string{"1.14.15": "newosproc", "1.27.0": "newosproc → newosproc.func1"} {
		r := experiment{name: "called", do: called}.record(t.Context(), released(t, release))
		for name, want := range map[string]int64{"windows_makes_thread": 1, "windows_suspends": 3, "windows_QueueUserAPC": 0,
			"darwin_makes_thread": 1, "darwin_signals": 1, "darwin_bsdthread_create": 0, "freebsd_binds": 2,
			"solaris_binds": 2} {
			if got, ok := r.Counts[name]; !ok || got != want {
				t.Errorf("%s: %s: %d, want %d; %s%s", release, name, got, want, r.Failed, r.Unable)
			}
		}
		for _, path := range []string{"windows: preemptM → SetThreadContext",
			"darwin: " + newosproc + " → pthread_create → pthread_create_trampoline → pthread_create"} {
			if !strings.Contains(r.Source, path) {
				t.Errorf("%s: no %q in %s", release, path, r.Source)
			}
		}
	}
}

// The loader runs the programs of releases whose copies lack one.
func TestWasm(t *testing.T) {
	testenv.Require(t, testenv.Toolchain, testenv.Node)
	for _, release := range []string{"1.13.15", "1.18.10", "1.23.12", "1.27.0"} {
		r := experiment{name: "wasm", do: wasm}.record(t.Context(), released(t, release))
		if r.Counts["others_ran"] != 1 || r.Counts["alive"] != 1 {
			t.Errorf("%s: %v; %s%s", release, r.Counts, r.Failed, r.Unable)
		}
	}
}

// The loader does what the release's own does.
func TestWasmLoader(t *testing.T) {
	testenv.Require(t, testenv.Toolchain, testenv.Node)
	l := released(t, "1.24.0")
	goroot, err := l.Goroot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	program, err := (&run{Context: t.Context(), lab: l}).buildFor(t.TempDir(), "js", "wasm")
	if err != nil {
		t.Fatal(err)
	}
	var printed []string
	for _, loader := range []string{"cross/run.js", filepath.Join(goroot, "lib/wasm/wasm_exec_node.js")} {
		out, err := exec.Command("node", "--stack-size=8192", loader, program).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v", loader, err)
		}
		printed = append(printed, string(out))
	}
	if printed[0] != printed[1] || printed[0] == "" {
		t.Errorf("%q, and by the release's own loader %q", printed[0], printed[1])
	}
}

// released is a lab that builds by a release.
func released(t *testing.T, release string) *Lab {
	t.Helper()
	goroot, err := toolchain.Fetch(t.Context(), release)
	if err != nil {
		t.Fatal(err)
	}
	return &Lab{GoVersion: "go" + release, Environ: os.Environ(),
		Goroot: func(context.Context) (string, error) { return goroot, nil },
		Source: func(context.Context) (*gosource.Tree, error) { return gosource.Open(goroot) }}
}
