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
// the built-in table. Only an error of the user's file is returned: the user asked for it.
func (r *Runtime) readOffsets(o Options) error {
	info := &r.Info
	if o.Offsets != "" {
		return r.userOffsets(o)
	}
	info.OffsetsFrom = OffsetsNone
	dwarfErr := errors.New("DWARF not read")
	if !o.NoDWARF {
		info.Offsets, dwarfErr = offsets.FromDWARF(r.obj.img)
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
		info.unknown(fmt.Errorf("%w; if you know its Go release, add --go-version go1.N.P", hidden), "Offsets")
		return nil
	}
	if info.Offsets = builtin.ForVersion(info.GoVersion, info.Arch); info.Offsets == nil {
		info.unknown(&UnknownOffsetsError{GoVersion: info.GoVersion, Arch: info.Arch, DWARF: dwarfErr}, "Offsets")
		return nil
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
	if info.Offsets = table.ForVersion(info.GoVersion, info.Arch); info.Offsets == nil {
		return &TableError{File: o.Offsets, Err: fmt.Errorf("no row for %.60s on %s", info.GoVersion, info.Arch)}
	}
	info.OffsetsFrom = OffsetsFile
	if o.NoDWARF {
		return nil
	}
	if fromDWARF, err := offsets.FromDWARF(r.obj.img); err == nil {
		if *fromDWARF != *info.Offsets {
			info.Offsets, info.OffsetsFrom = nil, OffsetsNone
			return &TableError{File: o.Offsets, Err: fmt.Errorf("the row for %s on %s contradicts the program's DWARF",
				info.GoVersion, info.Arch)}
		}
		info.OffsetsProved = true
	}
	return nil
}
