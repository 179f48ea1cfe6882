package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSelectVerified(t *testing.T) {
	for run, want := range map[string]int{"": len(verifiedMinors), `^1\.14\.`: 1, "1.2": 5} {
		if picked, err := selectVerified(run); err != nil || len(picked) != want {
			t.Errorf("%q: %v, %v; want %d", run, picked, err, want)
		}
	}
	for _, bad := range []string{"(", `^1\.16`} {
		if _, err := selectVerified(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

// A newer patch takes the place of an older one.
func TestColumn(t *testing.T) {
	if c := column("1.21.13"); c.Key != "go1.21" || c.Title != "Go 1.21.13" {
		t.Errorf("got %+v", c)
	}
}

// fake is a pinwatch that writes these verdicts and exits with this code.
func fake(t *testing.T, document string, exit int) options {
	t.Helper()
	program := filepath.Join(t.TempDir(), "pinwatch")
	script := fmt.Sprintf("#!/bin/sh\nwhile [ \"$1\" != --out ]; do shift; done\ncat >\"$2\" <<'END'\n%s\nEND\nexit %d\n",
		document, exit)
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return options{pinwatch: program, verify: true, only: "G-1", run: "1.14"}
}

const verdictsOf = `{
	"schema": "pinwatch.verdicts/v1", "go_version": "go1.14.15", "verdicts": [{"id": "G-1", "verdict": "holds"}]
}`

// A refuted statement is a result. A release without verdicts is a failure.
func TestVerifyMatrix(t *testing.T) {
	for _, tt := range []struct {
		document string
		exit     int
		want     bool
	}{
		{verdictsOf, 0, true},
		{verdictsOf, exitContract, true},
		{verdictsOf, exitInconclusive, true},
		{verdictsOf, 1, false},
		{"", 0, false},
		{strings.Replace(verdictsOf, "{", `{"interrupted": true, `, 1), exitInconclusive, false},
	} {
		var out, errs strings.Builder
		err := verifyMatrix(t.Context(), fake(t, tt.document, tt.exit), &out, &errs)
		if (err == nil) != tt.want || strings.Contains(out.String(), "holds") != tt.want {
			t.Errorf("exit %d of %q: %v, printed %q", tt.exit, tt.document, err, out.String())
		}
		if !tt.want && !strings.Contains(errs.String(), "1.14.15: FAILED: ") {
			t.Errorf("exit %d of %q: the release is not named: %q", tt.exit, tt.document, errs.String())
		}
	}
}

// Without a document for the results, nothing runs.
func TestVerifyMatrixWithoutDocument(t *testing.T) {
	t.Chdir(t.TempDir())
	o := fake(t, verdictsOf, 0)
	o.only = ""
	err := verifyMatrix(t.Context(), o, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "results.md") {
		t.Errorf("got %v", err)
	}
}
