package main

import (
	"bytes"
	"errors"
	"strconv"
	"testing"
)

// TestArchiveReadsBack reads an archive the way the kernel does: header, name, data, each aligned
// to four bytes.
func TestArchiveReadsBack(t *testing.T) {
	var buf bytes.Buffer
	a := newArchive(&buf)
	a.file("init", []byte("12345"))
	a.file("src/loader/testdata/a", nil)
	a.folder("src/loader")
	a.file("src/b", []byte("1234"))
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"init 12345", "src/", "src/loader/", "src/loader/testdata/", "src/loader/testdata/a ", "src/b 1234",
		"TRAILER!!! ",
	}

	b := buf.Bytes()
	align := func(n int) int { return (n + 3) &^ 3 }
	field := func(i int) int {
		n, err := strconv.ParseUint(string(b[6+8*i:14+8*i]), 16, 32)
		if err != nil {
			t.Fatalf("header field %d: %v", i, err)
		}
		return int(n)
	}
	for i, w := range want {
		if string(b[:6]) != "070701" {
			t.Fatalf("entry %d: magic %q", i, b[:6])
		}
		mode, size, nameSize := field(1), field(6), field(11)
		got := string(b[110 : 110+nameSize-1])
		b = b[align(110+nameSize):]
		if mode>>12 == 4 {
			got += "/"
		} else {
			got += " " + string(b[:size])
		}
		if got != w {
			t.Errorf("entry %d: %q, want %q", i, got, w)
		}
		b = b[align(size):]
	}
	if len(b) != 0 {
		t.Errorf("%d bytes after the trailer", len(b))
	}
}

type fullDisk struct{}

var errFull = errors.New("no space left")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestArchiveReportsWriteError(t *testing.T) {
	a := newArchive(fullDisk{})
	a.file("init", nil)
	if err := a.close(); !errors.Is(err, errFull) {
		t.Errorf("close: %v, want %v", err, errFull)
	}
}
