package rules

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCheckSizes(t *testing.T) {
	t.Chdir(t.TempDir())
	var files []string
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, name)
	}
	for i := range maxFiles {
		write(fmt.Sprintf("full/%d.go", i), "")
		write(fmt.Sprintf("over/%d.go", i), "")
	}
	write("full/one_test.go", strings.Repeat("\n", maxLines+1))
	write("full/testdata/one.go", strings.Repeat("é", maxColumns+1))
	write("over/one.go", "")
	write("long/most.go", strings.Repeat("\n", maxLines))
	write("long/more.go", strings.Repeat("\n", maxLines+1))
	write("table.go", "//\t"+strings.Repeat("x", maxColumns)+"\n")
	write("wide.c", strings.Repeat("é", maxColumns)+"\n\t"+strings.Repeat("x", maxColumns)+"\n")
	got, err := CheckSizes(files)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"over has more than 25 product files", "long/more.go has 401 lines, more than 400",
		"wide.c:2 has 121 columns, more than 120"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
