package objfile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/testprog"
)

func TestForgedProgram(t *testing.T) {
	data := testprog.Program()
	img, err := ReadImage(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	version, _, err := ReadBuildInfo(img, img.Space())
	if err != nil || version != "go1x" {
		t.Errorf("version %q, %v", version, err)
	}
	const mainFunc = "runtime.main"
	syms, err := img.Symbols(mainFunc, "runtime.gomaxprocs")
	if err != nil || len(syms) != 1 || syms[mainFunc] != 0x400100 {
		t.Errorf("symbols = %#x, %v; want only %s: others are undefined or have two values", syms, err, mainFunc)
	}
}

// TestHostileELF changes fields of the headers.
func TestHostileELF(t *testing.T) {
	for name, edit := range map[string]func(b []byte){
		"segments beyond the file": func(b []byte) { binary.LittleEndian.PutUint64(b[0x20:], 1<<63) },
		"65535 segments":           func(b []byte) { binary.LittleEndian.PutUint16(b[0x38:], 0xffff) },
		"sections beyond the file": func(b []byte) { binary.LittleEndian.PutUint64(b[0x28:], ^uint64(0)-10) },
		"65535 sections":           func(b []byte) { binary.LittleEndian.PutUint16(b[0x3c:], 0xffff) },
		"sections of another size": func(b []byte) { binary.LittleEndian.PutUint16(b[0x3a:], 1) },
		"names in no section":      func(b []byte) { binary.LittleEndian.PutUint16(b[0x3e:], 999) },
		"32 bits":                  func(b []byte) { b[elf.EI_CLASS] = byte(elf.ELFCLASS32) },
		"big-endian":               func(b []byte) { b[elf.EI_DATA] = byte(elf.ELFDATA2MSB) },
		"not ELF":                  func(b []byte) { b[0] = 0 },
	} {
		data := testprog.Program()
		edit(data)
		if img, err := ReadImage(bytes.NewReader(data), int64(len(data))); err == nil {
			t.Errorf("%s: read as %+v", name, img)
		}
	}
	for _, n := range []int{0, 1, 16, 63, 64, 100} {
		if _, err := ReadImage(bytes.NewReader(testprog.Program()[:n]), int64(n)); err == nil {
			t.Errorf("read the first %d bytes", n)
		}
	}
}

func TestSearchBuildInfo(t *testing.T) {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := ReadFile(f)
	if err != nil {
		t.Fatal(err)
	}
	want, err := FindBuildInfo(img)
	if err != nil {
		t.Fatal(err)
	}
	// Without the section, a search finds the magic at the same place.
	img.Sections = nil
	if got, err := FindBuildInfo(img); err != nil || got != want {
		t.Errorf("searched: build info at %#x, %v, want %#x", got, err, want)
	}
	img.Progs = nil
	if _, err := FindBuildInfo(img); !errors.Is(err, ErrNotGo) {
		t.Errorf("without segments: %v", err)
	}
}

// FuzzImage reads a forged file.
func FuzzImage(f *testing.F) {
	f.Add(testprog.Program())
	f.Fuzz(func(t *testing.T, data []byte) {
		img, err := ReadImage(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		if version, _, err := ReadBuildInfo(img, img.Space()); err == nil && !printable(version) {
			t.Errorf("version %q", version)
		}
		_, _ = img.Symbols("runtime.main")
	})
}
