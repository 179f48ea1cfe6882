package goruntime

import (
	"errors"
	"fmt"
)

// Where offsets come from, as Info.OffsetsFrom says it.
const (
	OffsetsFile  = "file"  // the user's table
	OffsetsDWARF = "dwarf" // the program's own DWARF
	OffsetsTable = "table" // the table that is built in
	OffsetsNone  = "none"
)

// An UnknownOffsetsError says that nothing tells where the fields of a program's runtime are: its release is in no table
// and it has no DWARF that can be believed.
type UnknownOffsetsError struct {
	GoVersion string // as in Info
	Arch      string
	DWARF     error // why the program's DWARF did not help
}

func (e *UnknownOffsetsError) Error() string {
	return fmt.Sprintf("no offsets known for %.60s on %s (%v): kernel side only; give them with --offsets FILE",
		e.GoVersion, e.Arch, e.DWARF)
}

// Unwrap gives the reason why DWARF did not help.
func (e *UnknownOffsetsError) Unwrap() error { return e.DWARF }

// readOffsets fills in Offsets: from the user's file if there is one, else from DWARF, else from the built-in table.
// Only the user's file can make it fail: it was asked for, so passing it over in silence would be wrong.
func (r *Runtime) readOffsets(o Options) error {
	info := &r.Info
	if o.Offsets != "" {
		t, err := readTable(o.Offsets)
		if err != nil {
			return err
		}
		if info.Offsets = t.forVersion(info.GoVersion, info.Arch); info.Offsets == nil {
			return &TableError{File: o.Offsets, Err: fmt.Errorf("no row for %.60s on %s", info.GoVersion, info.Arch)}
		}
		info.OffsetsFrom = OffsetsFile
		if own, err := dwarfOffsets(r.obj.img); err == nil && !o.NoDWARF {
			if *own != *info.Offsets {
				info.Offsets, info.OffsetsFrom = nil, OffsetsNone
				return &TableError{File: o.Offsets, Err: fmt.Errorf("the row for %s on %s contradicts the program's own DWARF", info.GoVersion, info.Arch)}
			}
			info.OffsetsProved = true
		}
		return nil
	}
	info.OffsetsFrom = OffsetsNone
	dwarfErr := errors.New("DWARF not read")
	if !o.NoDWARF {
		info.Offsets, dwarfErr = dwarfOffsets(r.obj.img)
	}
	if dwarfErr == nil {
		info.OffsetsFrom, info.OffsetsProved = OffsetsDWARF, true
		return nil
	}
	builtin, err := BuiltinTable()
	if err != nil {
		return err
	}
	if info.Offsets = builtin.forVersion(info.GoVersion, info.Arch); info.Offsets == nil {
		info.unknown(&UnknownOffsetsError{GoVersion: info.GoVersion, Arch: info.Arch, DWARF: dwarfErr}, "Offsets")
		return nil
	}
	info.OffsetsFrom = OffsetsTable
	release, _ := ParseRelease(info.GoVersion)
	info.OffsetsProved = builtin.proves(release, info.Arch)
	return nil
}
