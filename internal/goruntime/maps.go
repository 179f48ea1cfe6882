package goruntime

import (
	"bufio"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
	"github.com/pinwatch/pinwatch/internal/procfs"
)

const maxObjects = 512 // files mapped executable that are opened in search of a Go runtime

// mappings returns those lines of /proc/PID/maps that map a file executable, one for each file.
func (p *process) mappings() (objects []procfs.Mapping, err error) {
	seen := make(map[uint64]bool)
	begin := func() {
		objects = nil
		clear(seen)
	}
	err = p.scanMaps(begin, func(m procfs.Mapping) error {
		if !m.IsFile() || seen[m.Inode] || !m.Has("x") {
			return nil
		}
		if len(objects) == maxObjects {
			return fmt.Errorf("process %d maps more than %d files: %w", p.pid, maxObjects, objfile.ErrLimit)
		}
		seen[m.Inode] = true
		objects = append(objects, m)
		return nil
	})
	return objects, err
}

// scanMaps calls visit for each line of /proc/PID/maps until it returns an error. It calls begin
// first, and each time it starts again.
func (p *process) scanMaps(begin func(), visit func(procfs.Mapping) error) error {
	err := p.through(func(dir int) error {
		begin()
		fd, err := unix.Openat(dir, "maps", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		f := os.NewFile(uintptr(fd), p.path("maps"))
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if m, ok := procfs.ParseMapping(lines.Text()); ok {
				if err := visit(m); err != nil {
					return err
				}
			}
		}
		return lines.Err()
	})
	if err == nil || errors.Is(err, objfile.ErrLimit) {
		return err
	}
	return p.explain("maps", err)
}

// An object is a file with code that a process runs, or such code in memory only.
type object struct {
	path string
	file *os.File // nil: only in memory
	img  *objfile.Image
	bias uint64 // run-time minus link-time addresses
}

// goObject returns the one shared object with Go build info that the process has mapped: a c-shared
// library in a C program, or a program started through the dynamic loader. The error wraps ErrNotGo
// if there is none or more than one.
func (p *process) goObject() (*object, error) {
	mapped, err := p.mappings()
	if err != nil {
		return nil, err
	}
	var found []*object
	for _, m := range mapped {
		if obj := p.openObject(m); obj != nil {
			found = append(found, obj)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	for _, obj := range found {
		obj.file.Close()
	}
	if len(found) == 0 {
		return nil, objfile.NotGo("neither the executable nor a library of it has Go build info, which Go writes since 1.13")
	}
	return nil, objfile.NotGo("it has loaded %d Go libraries (%s, %s), each with its runtime",
		len(found), found[0].path, found[1].path)
}

// openObject opens the file of m. It returns nil if the file cannot be read or is not Go's: a
// process maps many files, and others than Go's may be unreadable or replaced.
func (p *process) openObject(m procfs.Mapping) *object {
	name := "root" + m.Path // in the mount namespace and root of the process
	var st unix.Stat_t
	// The inode must be the mapped one; the device may differ between maps and stat (overlayfs,
	// btrfs).
	if unix.Fstatat(p.fd(), name, &st, 0) != nil || st.Ino != m.Inode || st.Mode&unix.S_IFMT != unix.S_IFREG {
		name = fmt.Sprintf("map_files/%x-%x", m.Start, m.End) // replaced on disk: needs CAP_CHECKPOINT_RESTORE
	}
	file, err := p.open(name)
	if err != nil {
		return nil
	}
	if img, err := objfile.ReadFile(file); err == nil && img.Section(".go.buildinfo") != nil {
		if bias, ok := biasOf(img, m); ok {
			return &object{path: strings.TrimSuffix(m.Path, " (deleted)"), file: file, img: img, bias: bias}
		}
	}
	file.Close()
	return nil
}

// biasOf returns the load bias of img. m is its first executable mapping.
func biasOf(img *objfile.Image, m procfs.Mapping) (uint64, bool) {
	const page = 4096 // segments are aligned to it at least
	for _, s := range img.Progs {
		if elf.ProgType(s.Type) == elf.PT_LOAD && elf.ProgFlag(s.Flags)&elf.PF_X != 0 && s.Off/page == m.Off/page {
			return m.Start - m.Off%page - (s.Vaddr - s.Off%page), true
		}
	}
	return 0, false
}
