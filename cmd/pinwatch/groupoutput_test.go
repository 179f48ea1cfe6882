package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/reporttest"
	"github.com/pinwatch/pinwatch/internal/report/schematest"
	"github.com/pinwatch/pinwatch/internal/report/summary/summarytest"
)

// named is a report of a process.
func named(exe string, pid int, start int64) *report.Report {
	r := *reporttest.Reports()["idle"]
	r.Target.Exe, r.Target.PID, r.Window.StartNS = &exe, pid, start
	return &r
}

var groupOf = []*report.Report{named("renderd", 7, 1), named("renderd", 7, 2), named("<b>\x1b[2J\n", 8, 1)}

func writeGroup(t *testing.T, g groupWriter, reports ...*report.Report) {
	t.Helper()
	for _, r := range reports {
		if err := g.Process(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Close(summarytest.Summaries()["build"]); err != nil {
		t.Fatal(err)
	}
}

func TestNDJSONGroup(t *testing.T) {
	var b bytes.Buffer
	writeGroup(t, (&output{format: "ndjson", report: &b}).group(false), groupOf...)
	lines := strings.SplitAfter(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != len(groupOf)+1 {
		t.Fatalf("%d lines", len(lines))
	}
	last := len(lines) - 1
	for _, line := range lines[:last] {
		if err := schematest.Check([]byte(line)); err != nil {
			t.Error(err)
		}
	}
	if err := schematest.CheckSummary([]byte(lines[last])); err != nil {
		t.Error(err)
	}
}

// The object is whole with any number of reports, also none.
func TestJSONGroup(t *testing.T) {
	for n := range len(groupOf) + 1 {
		var b bytes.Buffer
		writeGroup(t, (&output{format: "json", report: &b}).group(false), groupOf[:n]...)
		if err := schematest.CheckGroup(b.Bytes()); err != nil {
			t.Fatalf("%d reports: %v\n%s", n, err, &b)
		}
		var group struct {
			Schema  string
			Reports []report.Report
			Summary report.Summary
		}
		if err := json.Unmarshal(b.Bytes(), &group); err != nil {
			t.Fatal(err)
		}
		if group.Schema != report.GroupID || len(group.Reports) != n || group.Summary.Processes.Observed != 83 {
			t.Errorf("%d reports: %s, %d, %+v", n, group.Schema, len(group.Reports), group.Summary.Processes)
		}
		for i := range group.Reports {
			if *group.Reports[i].Target.Exe != *groupOf[i].Target.Exe {
				t.Errorf("report %d is of %q", i, *group.Reports[i].Target.Exe)
			}
		}
	}
}

func TestTextGroup(t *testing.T) {
	var short, long bytes.Buffer
	writeGroup(t, (&output{format: "text", report: &short}).group(false), groupOf...)
	writeGroup(t, (&output{format: "text", report: &long}).group(true), groupOf...)
	if n := strings.Count(short.String(), "43 processes of 14 programs"); n != 1 || long.Len() < 2*short.Len() {
		t.Errorf("short:\n%s\nlong:\n%s", &short, &long)
	}
}

func TestDirectoryGroup(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "reports") + "/"
	if !isDirectory(dir) || isDirectory(strings.TrimSuffix(dir, "/")) {
		t.Error("a name that ends in / is not a directory, or one that does not is")
	}
	g, err := openDirectory(dir)
	if err != nil {
		t.Fatal(err)
	}
	hostile := []*report.Report{named("../../etc/passwd", 1, 1), named("..", 2, 1), named("", 3, 1),
		named(".hidden", 4, 1),
		named(strings.Repeat("ä", 1<<20), 5, 1), named("a\x00b\n-c", 6, 1), named("summary.json", 9, 1),
		named("-rf", 10, 1)}
	writeGroup(t, g, append(slices.Clone(groupOf), hostile...)...)
	if err := g.close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case e.Name() == summaryText:
			if !strings.Contains(string(b), "43 processes of 14 programs") {
				t.Errorf("%s: %s", e.Name(), b)
			}
			continue
		case e.Name() == summaryJSON:
			err = schematest.CheckSummary(b)
		default:
			err = schematest.Check(b)
		}
		if err != nil {
			t.Errorf("%s: %v", e.Name(), err)
		}
	}
	want := []string{"renderd-7-1.json", "renderd-7-2.json", "_b___2J_-8-1.json", "passwd-1-1.json", "_.-2-1.json",
		"unknown-3-1.json", "_hidden-4-1.json", strings.Repeat("_", 32) + "-5-1.json", "a_b_-c-6-1.json", "_rf-10-1.json",
		"summary.json-9-1.json", "summary.json", "summary.txt"}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	if !isDirectory(strings.TrimSuffix(dir, "/")) {
		t.Error("a directory that exists is none")
	}
	if _, err := openDirectory(dir); err == nil || !strings.Contains(err.Error(), "another observation (summary.json)") {
		t.Errorf("a directory with a summary: %v", err)
	}
}

// TestDirectoryKeepsFiles: no file that is there is written to, also not through a link.
func TestDirectoryKeepsFiles(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside")
	for _, name := range []string{outside, filepath.Join(dir, "renderd-7-1.json")} {
		if err := os.WriteFile(name, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, "renderd-7-2.json")); err != nil {
		t.Fatal(err)
	}
	g, err := openDirectory(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range groupOf[:2] {
		if err := g.Process(r); err == nil || !strings.Contains(err.Error(), "file exists") {
			t.Errorf("%s: %v", processFile(r), err)
		}
	}
	if err := g.close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{outside, filepath.Join(dir, "renderd-7-1.json")} {
		if b, err := os.ReadFile(name); err != nil || string(b) != "old" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

// TestDirectoryWithoutReports: a directory that was made for nothing is removed, one that was there stays.
func TestDirectoryWithoutReports(t *testing.T) {
	there := t.TempDir()
	for _, dir := range []string{there, filepath.Join(there, "new")} {
		g, err := openDirectory(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.close(); err != nil {
			t.Fatal(err)
		}
	}
	if entries, err := os.ReadDir(there); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
	_, err := openDirectory(filepath.Join(there, "no", "parent"))
	if err == nil || !strings.HasPrefix(err.Error(), "--out: ") {
		t.Errorf("without a parent: %v", err)
	}
}

// TestDirectoryRemovesParts: a file that could not be written in full does not stay.
func TestDirectoryRemovesParts(t *testing.T) {
	g, err := openDirectory(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	err = g.write("part.json", func(w io.Writer) error {
		_, err := io.WriteString(w, "{")
		return errors.Join(err, syscall.ENOSPC)
	})
	if !errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(err.Error(), "--out part.json: no space left") {
		t.Errorf("%v", err)
	}
	if _, err := g.root.Stat("part.json"); err == nil {
		t.Error("the part is still there")
	}
	if err := g.close(); err != nil {
		t.Fatal(err)
	}
}

// closedPipe refuses every write after the first n.
type closedPipe struct{ n int }

func (c *closedPipe) Write(b []byte) (int, error) {
	if c.n--; c.n < 0 {
		return 0, syscall.EPIPE
	}
	return len(b), nil
}

// TestGroupReaderGone: that the reader has gone is told from other errors, in every format.
func TestGroupReaderGone(t *testing.T) {
	for _, format := range []string{"text", "json", "ndjson"} {
		g := (&output{format: format, report: &closedPipe{}}).group(false)
		if err := g.Process(groupOf[0]); format != "text" && !errors.Is(err, errReaderGone) {
			t.Errorf("%s: %v", format, err)
		}
		if err := g.Close(summarytest.Summaries()["calm"]); !errors.Is(err, errReaderGone) {
			t.Errorf("%s: %v", format, err)
		}
	}
	pipe := &closedPipe{n: 1}
	g := (&output{format: "json", report: pipe}).group(false)
	if err := g.Process(groupOf[0]); err != nil {
		t.Fatal(err)
	}
	for range 2 { // nothing is written behind a text that is broken off
		if err := g.Process(groupOf[1]); !errors.Is(err, errReaderGone) {
			t.Errorf("%v", err)
		}
	}
	if pipe.n != -1 {
		t.Errorf("%d writes after the first error", -1-pipe.n)
	}
}
