package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSelectedTestsExist checks that every expression by which guests select tests matches one of a
// package that the matrix runs.
func TestSelectedTestsExist(t *testing.T) {
	t.Chdir("../..")
	tested, err := kernelPackages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	var names []string
	for _, p := range tested {
		files, err := filepath.Glob(filepath.Join(p, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
				names = append(names, m[1])
			}
		}
	}
	for _, one := range strings.Fields(hostOnlyTests() + endTests + " " + preemptTests) {
		re := regexp.MustCompile("^" + one + "$")
		found := false
		for _, name := range names {
			found = found || re.MatchString(name)
		}
		if !found {
			t.Errorf("no test is called %s", one)
		}
	}
}
