package gosource

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// tree writes a GOROOT with these files below src.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, "src", name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestPlaces(t *testing.T) {
	tr, err := Open(tree(t, map[string]string{
		"runtime/proc.go": `package runtime

// schedule calls QueueUserAPC.
func schedule() {
	// startlockedm(gp) is in a comment
	if x { /* startlockedm(gp) */ }
	startlockedm(gp)
}

func (t T) method() { code() }
func (t *T) both() {}
func (l *List[E]) both() {}
`,
		"runtime/os_js.go":     "//go:build js && wasm\n\npackage runtime\n",
		"runtime/os.s":         "CALL bsdthread_create\n",
		"runtime/proc_test.go": "package runtime\n\nvar QueueUserAPC int\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	f, ok, err := tr.Find("runtime/proc.go", "schedule")
	if err != nil || !ok || f.Line != 4 || f.LineOf("startlockedm(gp)") != 7 || f.LineOf("code()") != 0 {
		t.Errorf("%+v, %t, %v; code in line %d", f, ok, err, f.LineOf("startlockedm(gp)"))
	}
	if m, ok, _ := tr.Find("runtime/proc.go", "method"); !ok || m.LineOf("code()") != 10 {
		t.Errorf("method: %t, %+v", ok, m)
	}
	if m, ok, err := tr.Find("runtime/proc.go", "List.both"); !ok || err != nil || m.Line != 12 {
		t.Errorf("List.both: %t, %v, %+v", ok, err, m)
	}
	if _, ok, err := tr.Find("runtime/proc.go", "both"); ok || err == nil {
		t.Errorf("both is the name of two methods: %t, %v", ok, err)
	}
	for _, none := range [][2]string{{"runtime/proc.go", "gone"}, {"runtime/coro.go", "schedule"}} {
		if _, ok, err := tr.Find(none[0], none[1]); ok || err != nil {
			t.Errorf("%q: %t, %v", none, ok, err)
		}
	}
	for name, want := range map[string]bool{"runtime/proc.go": false, "runtime/os_js.go": true} {
		if got, err := tr.Constrained(name); got != want || err != nil {
			t.Errorf("%s: constrained %t, %v", name, got, err)
		}
	}
	for word, want := range map[string]int{"QueueUserAPC": 0, "startlockedm": 1, "bsdthread_create": 1} {
		if uses, err := tr.Uses("runtime", word); err != nil || len(uses) != want {
			t.Errorf("%s: %v, %v; want %d", word, uses, err, want)
		}
	}
}

func TestMistakes(t *testing.T) {
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrNoTree) {
		t.Errorf("an empty folder: %v", err)
	}
	tr, err := Open(tree(t, map[string]string{"runtime/proc.go": "package"}))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := tr.Find("runtime/proc.go", "schedule"); err == nil {
		t.Error("a file that is not Go is read")
	}
	if _, err := tr.Uses("runtime", "x"); err == nil {
		t.Error("a file that is not Go is searched")
	}
}
