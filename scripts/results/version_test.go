package results

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A change of the results leaves the version of a commit; any other change does not.
func TestVersion(t *testing.T) {
	t.Chdir(t.TempDir())
	git := func(args ...string) {
		t.Helper()
		args = append([]string{"-c", "user.name=n", "-c", "user.email=e@x"}, args...)
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v: %s", args, err, out)
		}
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git("init", "-q")
	if got := Version(); got != "devel" {
		t.Errorf("without a commit: %q", got)
	}
	results := []string{document, folkloreDocument, filepath.Join(folder, "go1.26.json")}
	for _, name := range append(results, "main.go", "docs/words.md") {
		write(name, "old\n")
	}
	git("add", "-A")
	git("commit", "-qm", "x")
	commit := Version()
	for _, name := range results {
		write(name, "new\n")
	}
	if got := Version(); got != commit || strings.Contains(commit, "dirty") || len(commit) < 7 {
		t.Errorf("%q with new results, %q without", got, commit)
	}
	for _, name := range []string{"main.go", "docs/words.md"} {
		write(name, "new\n")
		if got := Version(); got != commit+"-dirty" {
			t.Errorf("with a new %s: %q", name, got)
		}
		write(name, "old\n")
	}
}
