package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A kernel's image is taken by its path, and nothing else is.
func TestImages(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, at int) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(strings.Repeat("\x00", at)+text), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	x86, arm := write("vmlinuz-7.4-rc3", "HdrS", 0x202), write("Image", "ARM\x64", 56)
	for _, tt := range []struct {
		arch, file string
		want       bool
	}{
		{"amd64", x86, true}, {"arm64", arm, true}, {"arm64", x86, false}, {"amd64", arm, false},
		{"amd64", write("vmlinux", "\x7fELF", 0), false}, {"amd64", write("empty", "", 0), false},
		{"amd64", filepath.Join(dir, "none"), false}, {"amd64", dir + "/", false},
	} {
		picked, err := selectKernels(tt.arch, tt.file, false)
		if (err == nil) != tt.want {
			t.Errorf("%s for %s: %v", tt.file, tt.arch, err)
			continue
		}
		if err != nil {
			continue
		}
		image, err := picked[0].fetch(false)
		if err != nil || image != tt.file || picked[0].name != filepath.Base(tt.file) || !picked[0].extra {
			t.Errorf("%+v, image %s, %v", picked, image, err)
		}
		if line := picked[0].commandLine(options{}); strings.Contains(line, "SKIP") {
			t.Errorf("tests are left out: %s", line)
		}
	}
}
