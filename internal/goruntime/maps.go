package goruntime

import (
	"bufio"
	"debug/elf"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
)

const maxObjects = 512 // files mapped executable that are opened in search of a Go runtime

// A mapping is one line of /proc/PID/maps that maps a file.
type mapping struct {
	start, end uint64
	perms      string
	off        uint64
	inode      uint64
	path       string
}

// parseMapping reads a line such as
//
//	7f3c4a000000-7f3c4a021000 r-xp 00001000 fd:01 1234   /usr/lib/x.so
//
// and reports whether it maps a file.
func parseMapping(line string) (mapping, bool) {
	fields := strings.SplitN(line, " ", 6)
	if len(fields) < 6 {
		return mapping{}, false
	}
	start, end, ok := strings.Cut(fields[0], "-")
	m := mapping{perms: fields[1], path: strings.ReplaceAll(strings.TrimLeft(fields[5], " "), `\012`, "\n")}
	var errs [4]error
	m.start, errs[0] = strconv.ParseUint(start, 16, 64)
	m.end, errs[1] = strconv.ParseUint(end, 16, 64)
	m.off, errs[2] = strconv.ParseUint(fields[2], 16, 64)
	m.inode, errs[3] = strconv.ParseUint(fields[4], 10, 64)
	return m, ok && errs == [4]error{} && m.inode != 0 && strings.HasPrefix(m.path, "/")
}

// mappings returns the lines of /proc/PID/maps that map a file executable, one for each file.
func (p *process) mappings() ([]mapping, error) {
	f, err := p.open("maps")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var objects []mapping
	seen := make(map[uint64]bool)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		m, ok := parseMapping(lines.Text())
		if !ok || seen[m.inode] || len(m.perms) < 3 || m.perms[2] != 'x' {
			continue
		}
		if len(objects) == maxObjects {
			return nil, fmt.Errorf("process %d maps more than %d files: %w", p.pid, maxObjects, objfile.ErrLimit)
		}
		seen[m.inode] = true
		objects = append(objects, m)
	}
	if err := lines.Err(); err != nil {
		return nil, p.explain("maps", err)
	}
	return objects, nil
}

// An object is a file with code that a process runs.
type object struct {
	path string
	file *os.File
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
func (p *process) openObject(m mapping) *object {
	name := "root" + m.path // in the mount namespace and root of the process
	var st unix.Stat_t
	// The inode must be the mapped one; the device may differ between maps and stat (overlayfs,
	// btrfs).
	if unix.Fstatat(int(p.dir.Fd()), name, &st, 0) != nil || st.Ino != m.inode || st.Mode&unix.S_IFMT != unix.S_IFREG {
		name = fmt.Sprintf("map_files/%x-%x", m.start, m.end) // replaced on disk: needs CAP_CHECKPOINT_RESTORE
	}
	file, err := p.open(name)
	if err != nil {
		return nil
	}
	if img, err := objfile.ReadFile(file); err == nil && img.Section(".go.buildinfo") != nil {
		if bias, ok := biasOf(img, m); ok {
			return &object{path: strings.TrimSuffix(m.path, " (deleted)"), file: file, img: img, bias: bias}
		}
	}
	file.Close()
	return nil
}

// biasOf returns the load bias of img. m is its first executable mapping.
func biasOf(img *objfile.Image, m mapping) (uint64, bool) {
	const page = 4096 // segments are aligned to it at least
	for _, s := range img.Progs {
		if elf.ProgType(s.Type) == elf.PT_LOAD && elf.ProgFlag(s.Flags)&elf.PF_X != 0 && s.Off/page == m.off/page {
			return m.start - m.off%page - (s.Vaddr - s.Off%page), true
		}
	}
	return 0, false
}
