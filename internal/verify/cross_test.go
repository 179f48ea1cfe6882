package verify

import (
	"context"
	"os"
	"testing"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/gosource"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/toolchain"
)

// Programs built for other systems agree with the source of the release.
func TestProgramsOfOtherSystems(t *testing.T) {
	testenv.Require(t, testenv.Toolchain)
	goroot, err := toolchain.Fetch(t.Context(), BuiltinRelease()[len("go"):])
	if err != nil {
		t.Fatal(err)
	}
	l := &Lab{GoVersion: BuiltinRelease(), Environ: os.Environ(),
		Goroot: func(context.Context) (string, error) { return goroot, nil },
		Source: func(context.Context) (*gosource.Tree, error) { return gosource.Open(goroot) }}
	for id, o := range judge(t, l, "O-windows", "O-macos", "O-other") {
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
	r := experiment{name: "imported", do: imported}.record(t.Context(), l)
	for name, want := range map[string]int64{"windows_SetThreadContext": 1, "windows_CreateThread": 1,
		"windows_QueueUserAPC": 0, "darwin_pthread_create": 1, "darwin_bsdthread_create": 0} {
		if r.Counts[name] != want {
			t.Errorf("%s: %d, want %d; %s%s", name, r.Counts[name], want, r.Failed, r.Unable)
		}
	}
}
