package main

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"strings"
)

// archive writes a cpio archive in the "newc" form, the one the kernel unpacks as its first root
// file system (Documentation/driver-api/early-userspace/buffer-format.rst). It is not compressed:
// an emulated CPU takes longer to inflate it than the emulator takes to copy it.
type archive struct {
	w    io.Writer
	ino  int
	dirs map[string]bool
	err  error // the first one; later calls do nothing
}

func newArchive(w io.Writer) *archive { return &archive{w: w, dirs: map[string]bool{".": true}} }

// file adds an executable regular file, after the folders it lies in. name has no leading slash.
func (a *archive) file(name string, data []byte) {
	a.folder(path.Dir(name))
	a.entry(name, 0o100755, data)
}

// folder adds a folder and its parents, each once.
func (a *archive) folder(name string) {
	if a.dirs[name] {
		return
	}
	a.folder(path.Dir(name))
	a.dirs[name] = true
	a.entry(name, 0o040755, nil)
}

// close ends the archive and returns the first error of the whole writing.
func (a *archive) close() error {
	a.entry("TRAILER!!!", 0, nil)
	if a.err != nil {
		return fmt.Errorf("write initramfs: %w", a.err)
	}
	return nil
}

func (a *archive) entry(name string, mode uint32, data []byte) {
	if a.err != nil {
		return
	}
	a.ino++
	var b bytes.Buffer
	b.WriteString("070701")
	for _, field := range []int{a.ino, int(mode), 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0} {
		fmt.Fprintf(&b, "%08x", field)
	}
	b.WriteString(name + "\x00")
	pad(&b)
	b.Write(data)
	pad(&b)
	_, a.err = a.w.Write(b.Bytes())
}

// pad fills up to a multiple of four bytes. Entries begin aligned, so only the length within the
// entry counts.
func pad(b *bytes.Buffer) { b.WriteString(strings.Repeat("\x00", -b.Len()&3)) }
