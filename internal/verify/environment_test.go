package verify

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pinwatch/pinwatch/internal/gosource"
	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

func TestSplitSettings(t *testing.T) {
	environ := []string{"PATH=/bin", "GODEBUG=a=1,b=2", "GOMAXPROCS=8", "GOPATH=/go", "GOLD=1"}
	env, given, cleared := SplitSettings(environ, []string{"GODEBUG"})
	if !slices.Equal(env, []string{"PATH=/bin", "GODEBUG=a=1,b=2"}) ||
		!maps.Equal(given, map[string]string{"GODEBUG": "a=1,b=2"}) ||
		!maps.Equal(cleared, map[string]string{"GOMAXPROCS": "8"}) {
		t.Errorf("%q, %v, %v", env, given, cleared)
	}
	if env, _, _ := SplitSettings(nil, nil); env == nil {
		t.Error("an empty environment means that of this process")
	}
}

// The workloads have the lab's environment, not that of this process.
func TestWorkloadsGetTheLabsEnvironment(t *testing.T) {
	t.Setenv("GOMAXPROCS", "7")
	t.Setenv("GODEBUG", "gctrace=0")
	for _, handed := range [][]string{nil, {"GOMAXPROCS", "GODEBUG"}} {
		l := lab(t)
		l.Environ, _, _ = SplitSettings(os.Environ(), handed)
		var a trial.Counts
		x := experiment{name: "counts", do: func(r *run) error { return r.trial(&a, "counts", "-n", "1", "-settle", "0") }}
		if r := x.record(t.Context(), l); r.Failed != "" || r.Unable != "" {
			t.Fatal(r.Failed, r.Unable)
		}
		if got := a.GoMaxProcs == 7; got != (handed != nil) || (a.Debug == "gctrace=0") != (handed != nil) {
			t.Errorf("handed %q: GOMAXPROCS %d, GODEBUG %q", handed, a.GoMaxProcs, a.Debug)
		}
	}
}

func TestUnknownDebug(t *testing.T) {
	goroot := t.TempDir()
	for name, text := range map[string]string{
		"runtime/proc.go":           "package runtime\n",
		"runtime/runtime1.go":       "package runtime\nvar dbgvars = []*dbgVar{{name: \"gctrace\"}} // \"gone\"\n",
		"internal/godebugs/list.go": "package godebugs\nvar All = []Info{{Name: \"panicnil\"}}\n",
	} {
		name = filepath.Join(goroot, "src", name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := gosource.Open(goroot)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time as a release without that list
		names, err := UnknownDebug(tree, "gctrace=1,gone=1,,cpu.avx=off,gctr=2")
		if err != nil || !slices.Equal(names, []string{"gone", "gctr"}) {
			t.Errorf("%q, %v", names, err)
		}
		if err := os.RemoveAll(filepath.Join(goroot, "src", "internal")); err != nil {
			t.Fatal(err)
		}
	}
}
