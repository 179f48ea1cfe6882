package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

func TestUnwritableOut(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	dir := filepath.Join(t.TempDir(), "missing")
	wrong(t, exitError, []string{"--out", dir},
		"attach", "-p", strconv.Itoa(os.Getppid()), "-d", "1s", "--out", filepath.Join(dir, "r.json"))
	code, _, stderr := pinwatch(t, "demo", "-d", "100ms", "--out", "/dev/full")
	if code != exitError || !strings.Contains(stderr, "no space left") {
		t.Errorf("a full disk: exit code %d, %q", code, stderr)
	}
}

// TestOutIsKeptUntilReplaced: an existing report survives an observation that fails before it has a
// report.
func TestOutIsKeptUntilReplaced(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	file := filepath.Join(t.TempDir(), "r.json")
	if err := os.WriteFile(file, bytes.Repeat([]byte("old "), 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	pinwatch(t, "attach", "-p", "2", "--out", file)
	if b, err := os.ReadFile(file); err != nil || !bytes.HasPrefix(b, []byte("old old")) {
		t.Errorf("after a failed attach: %.20q, %v", b, err)
	}
	if code, _, stderr := pinwatch(t, "demo", "-d", "300ms", "-o", "json", "--out", file); code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parse(t, string(b))
}
