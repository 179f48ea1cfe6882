package verify

import (
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/gosource"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/toolchain"
)

// citedReleases are those whose verdicts docs/results has. A release that this machine has not
// fetched is left out, but for the one that built this program.
var citedReleases = []string{"1.13.15", "1.14.15", "1.18.10", "1.21.13", "1.23.12", "1.24.0", "1.27.0"}

// The source of every release has the places that explain the verdicts on it.
func TestPlacesAreInTheSource(t *testing.T) {
	testenv.Require(t, testenv.Toolchain)
	own := strings.TrimPrefix(BuiltinRelease(), "go")
	for _, release := range append([]string{own}, citedReleases...) {
		goroot, err := toolchain.Here(t.Context(), release)
		if err != nil && release != own {
			t.Logf("Go %s is not here: %v", release, err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		tree, err := gosource.Open(goroot)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		minor, _ := contract.Minor(release)
		for _, s := range contract.Statements() {
			places, err := Places(s.Citation(), "go"+release, tree)
			if err != nil {
				t.Fatalf("%s: %v", s.ID, err)
			}
			if claimed := s.Scope.Since <= minor; claimed && places == nil && s.Citation().Source != nil {
				t.Errorf("%s: nothing in the source of Go %s explains it", s.ID, release)
			}
			for _, p := range places {
				n++
				if p.Line == 0 {
					t.Errorf("%s: Go %s has no %s %s %q", s.ID, release, p.File, p.Functions, p.Code)
				}
			}
		}
		if n < 50 {
			t.Errorf("Go %s: only %d places", release, n)
		}
	}
}

// Without the source the places have no lines.
func TestPlacesWithoutSource(t *testing.T) {
	s, _ := contract.Find("G-4")
	for version, want := range map[string]string{"go1.21.13": "goexit0 mexit", "go1.26.8": "gdestroy mexit coroswitch_m"} {
		places, err := Places(s.Citation(), version, nil)
		var names []string
		for _, p := range places {
			names = append(names, p.Function)
			if p.Line != 0 {
				t.Errorf("%s: line %d", version, p.Line)
			}
		}
		if err != nil || strings.Join(names, " ") != want {
			t.Errorf("%s: %q, %v; want %s", version, names, err, want)
		}
	}
}
