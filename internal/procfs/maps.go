package procfs

import (
	"strconv"
	"strings"
)

// Mapping is a line of /proc/PID/maps.
type Mapping struct {
	Start, End uint64
	Perms      string // such as r-xp
	Off        uint64 // in the file
	Inode      uint64 // 0 = no file
	Path       string // "" = none; a name in brackets where there is no file
}

// ParseMapping parses a line such as
//
//	7f3c4a000000-7f3c4a021000 r-xp 00001000 fd:01 1234   /usr/lib/x.so
//
// and reports whether it is one.
func ParseMapping(line string) (Mapping, bool) {
	fields := strings.SplitN(line, " ", 6)
	if len(fields) < 6 {
		return Mapping{}, false
	}
	start, end, ok := strings.Cut(fields[0], "-")
	m := Mapping{Perms: fields[1], Path: strings.ReplaceAll(strings.TrimLeft(fields[5], " "), `\012`, "\n")}
	var errs [4]error
	m.Start, errs[0] = strconv.ParseUint(start, 16, 64)
	m.End, errs[1] = strconv.ParseUint(end, 16, 64)
	m.Off, errs[2] = strconv.ParseUint(fields[2], 16, 64)
	m.Inode, errs[3] = strconv.ParseUint(fields[4], 10, 64)
	return m, ok && errs == [4]error{}
}

// IsFile reports whether m maps a file.
func (m *Mapping) IsFile() bool { return m.Inode != 0 && strings.HasPrefix(m.Path, "/") }

// Has reports whether m has the permissions perms: any of rwx, and p for private.
func (m *Mapping) Has(perms string) bool {
	for i := range perms {
		if strings.IndexByte(m.Perms, perms[i]) < 0 {
			return false
		}
	}
	return true
}
