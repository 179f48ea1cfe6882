package goruntime

import (
	"errors"
	"fmt"

	"github.com/pinwatch/pinwatch/internal/goruntime/offsets"
)

// Offsets are the offsets of fields of the runtime's structs.
type Offsets = offsets.Offsets

// Absent is the offset of a field that the release does not have.
const Absent = offsets.Absent

// A TableError describes an error in a user's table of offsets, and its place.
type TableError = offsets.TableError

// Sources of offsets, as in Info.OffsetsFrom.
const (
	OffsetsFile  = "file"  // the user's table
	OffsetsDWARF = "dwarf" // the program's DWARF
	OffsetsTable = "table" // the built-in table
	OffsetsNone  = "none"
)

// An UnknownOffsetsError means that the offsets of a program's runtime are not known: no table has
// its release, and it has no valid DWARF.
type UnknownOffsetsError struct {
	GoVersion string // as in Info
	Arch      string
	DWARF     error // why the program's DWARF gives no offsets
}

func (e *UnknownOffsetsError) Error() string {
	return fmt.Sprintf("no offsets known for %.60s on %s (%v): kernel side only; give them with --offsets FILE",
		e.GoVersion, e.Arch, e.DWARF)
}

// Unwrap returns the reason why DWARF gives no offsets.
func (e *UnknownOffsetsError) Unwrap() error { return e.DWARF }

// readOffsets fills in Offsets: from the user's file if there is one, else from DWARF, else from
// the built-in table. Only errors of what the user gave are returned: of the file, or of the
// release. locks is that of lockFields.
func (r *Runtime) readOffsets(o Options, locks map[uint32]bool) error {
	info := &r.Info
	if o.Offsets != "" {
		return r.userOffsets(o)
	}
	info.OffsetsFrom = OffsetsNone
	dwarfErr := errors.New("DWARF not read")
	if !o.NoDWARF {
		info.Offsets, dwarfErr = o.Files.dwarf(r.obj)
	}
	if dwarfErr == nil {
		info.OffsetsFrom, info.OffsetsProved = OffsetsDWARF, true
		return nil
	}
	builtin, err := offsets.Builtin()
	if err != nil {
		return err
	}
	if hidden := info.Unknown["GoVersion"]; hidden != nil {
		info.unknown(fmt.Errorf("%w; %s", hidden, r.hint(locks)), "Offsets")
		return nil
	}
	if info.Offsets = builtin.ForVersion(info.GoVersion, info.Arch); info.Offsets == nil {
		info.unknown(&UnknownOffsetsError{GoVersion: info.GoVersion, Arch: info.Arch, DWARF: dwarfErr}, "Offsets")
		return nil
	}
	if info.GoVersionGiven && !fits(locks, info.Offsets) {
		return &ReleaseError{o.GoVersion, "the program's code is not of that release: " + r.hint(locks)}
	}
	info.OffsetsFrom = OffsetsTable
	release, _ := offsets.ParseRelease(info.GoVersion)
	info.OffsetsProved = builtin.Proves(release, info.Arch) && !info.GoVersionGiven
	return nil
}

// userOffsets fills in Offsets from the user's file. The program's DWARF, if it has one, must
// agree.
func (r *Runtime) userOffsets(o Options) error {
	info := &r.Info
	table, err := offsets.ReadTable(o.Offsets)
	if err != nil {
		return err
	}
	info.Offsets = table.ForVersion(info.GoVersion, info.Arch)
	hidden := info.Unknown["GoVersion"]
	if hidden != nil {
		info.Offsets = table.Only(info.Arch)
	}
	switch {
	case info.Offsets == nil && hidden != nil:
		return &TableError{File: o.Offsets, Err: fmt.Errorf("not exactly one row for %s, and the program hides its release; "+
			"if you know it, add --go-version go1.N.P", info.Arch)}
	case info.Offsets == nil:
		return &TableError{File: o.Offsets, Err: fmt.Errorf("no row for %.60s on %s", info.GoVersion, info.Arch)}
	}
	info.OffsetsFrom = OffsetsFile
	if o.NoDWARF {
		return nil
	}
	if fromDWARF, err := o.Files.dwarf(r.obj); err == nil {
		if *fromDWARF != *info.Offsets {
			info.Offsets, info.OffsetsFrom = nil, OffsetsNone
			return &TableError{File: o.Offsets, Err: fmt.Errorf("the row for %s on %s contradicts the program's DWARF",
				info.GoVersion, info.Arch)}
		}
		info.OffsetsProved = true
	}
	return nil
}
