package offsets

import (
	"bufio"
	"bytes"
	"debug/dwarf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
)

// Limits on DWARF. Large programs have some 40 MB of .debug_info. In programs of Go 1.26 the types
// of the runtime are in its first MB or two, in those of Go 1.13 and 1.21 near its end. The
// built-in table serves where a limit stops the search.
const (
	maxDebugInfo = 256 << 20 // bytes of .debug_info, decompressed: about a second
	maxUnit      = 64 << 20  // bytes of one unit, held in memory
	maxAbbrev    = 16 << 20  // bytes of .debug_abbrev: C++ libraries linked in can bring a few 100 KB
	maxAbbrevs   = 16 << 10  // bytes of one unit's part of it: Go's has less than 1 KB
	maxDebugAddr = 32 << 20  // bytes of .debug_addr
	maxRoot      = 4 << 10   // bytes that hold the first entry of a unit, with its name
	maxDecoded   = 2 << 10   // units that contain the name of package runtime: real programs have some ten
	maxSteps     = 8 << 20   // entries and attributes decoded: a forged entry of one byte may have thousands
)

// FromDWARF returns the offsets in a program's DWARF. It decodes only the units of package runtime,
// one at a time, and stops when it has the three structs.
func FromDWARF(img *objfile.Image) (*Offsets, error) {
	info, err := img.DebugSection("info")
	if err != nil {
		return nil, err
	}
	d := &dwarfReader{
		info: bufio.NewReaderSize(info, 64<<10), left: maxDebugInfo, steps: maxSteps, structs: make(map[string]structOffsets),
	}
	if d.abbrev, err = img.DebugBytes("abbrev", maxAbbrev); err != nil {
		return nil, err
	}
	// DWARF 5, which Go writes since 1.25, keeps addresses in .debug_addr. The decoder needs them to
	// read an entry's name.
	if d.addr, err = img.DebugBytes("addr", maxDebugAddr); err != nil && !errors.Is(err, objfile.ErrNoDWARF) {
		return nil, err
	}
	for len(d.structs) < len(structNames) {
		if err := d.unit(); errors.Is(err, io.EOF) {
			return nil, errors.New("DWARF lacks one of runtime.g, runtime.m and runtime.p")
		} else if err != nil {
			return nil, fmt.Errorf("read DWARF: %w", err)
		}
	}
	o, err := Collect(func(owner, field string) (int64, bool) {
		at, ok := d.structs[owner][field]
		return at, ok
	})
	if err != nil {
		return nil, fmt.Errorf("DWARF: %w", err)
	}
	return o, nil
}

// FromFile returns the offsets in the DWARF of an executable file.
func FromFile(path string) (*Offsets, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img, err := objfile.ReadFile(f)
	if err != nil {
		return nil, err
	}
	return FromDWARF(img)
}

// structNames maps the name of a struct in DWARF to the owner of its fields.
var structNames = map[string]string{"runtime.g": "g", "runtime.m": "m", "runtime.p": "p"}

// structOffsets maps a member of a struct to its offset.
type structOffsets map[string]int64

type dwarfReader struct {
	info         *bufio.Reader
	left         int64 // bytes of .debug_info that may still be read
	decoded      int   // units decoded
	steps        int   // steps that may still be taken
	abbrev, addr []byte
	structs      map[string]structOffsets // by owner as in fields
}

// unit reads the next unit. It returns io.EOF after the last.
func (d *dwarfReader) unit() error {
	head, err := d.info.Peek(4)
	if len(head) == 0 {
		return err
	}
	if len(head) < 4 {
		return io.ErrUnexpectedEOF
	}
	size := int64(binary.LittleEndian.Uint32(head))
	if size >= 0xfffffff0 {
		return errors.New("64-bit units, which neither Go nor linkers write")
	}
	if size += 4; size < header5 {
		return fmt.Errorf("a unit of %d bytes", size)
	}
	if d.left -= size; d.left < 0 {
		return fmt.Errorf("more than %d MiB: %w", maxDebugInfo>>20, objfile.ErrLimit)
	}
	root, err := d.info.Peek(int(min(size, maxRoot)))
	if err != nil {
		return err
	}
	// Go writes names into the entries, not into .debug_str.
	candidate := bytes.Contains(root, []byte("runtime\x00"))
	if candidate {
		if d.decoded++; d.decoded > maxDecoded {
			return fmt.Errorf("more than %d units that contain the name runtime: %w", maxDecoded, objfile.ErrLimit)
		}
		candidate = d.isRuntime(bytes.Clone(root))
	}
	if !candidate {
		_, err := d.info.Discard(int(size))
		return err
	}
	if size > maxUnit {
		return fmt.Errorf("a unit of %d MiB: %w", size>>20, objfile.ErrLimit)
	}
	whole, err := io.ReadAll(io.LimitReader(d.info, size)) // allocates by the bytes that are there
	if err != nil {
		return err
	}
	if int64(len(whole)) < size {
		return io.ErrUnexpectedEOF
	}
	data, err := d.decode(whole)
	if err != nil {
		return err
	}
	return d.walk(data)
}

// header5 is the size of a unit's header in DWARF 5, in bytes. Earlier versions have one byte less.
const header5 = 12

// decode prepares the decoding of one unit, or of its first bytes. It overwrites the length in the
// header. The decoder gets only that unit's part of the abbreviations, which bounds the number of
// attributes of an entry.
func (d *dwarfReader) decode(unit []byte) (data *dwarf.Data, err error) {
	defer recovered(&err)
	if len(unit) < header5 {
		return nil, io.ErrUnexpectedEOF
	}
	version, abbrevAt := binary.LittleEndian.Uint16(unit[4:]), 6
	if version >= 5 {
		abbrevAt = 8
	}
	off := int64(binary.LittleEndian.Uint32(unit[abbrevAt:]))
	if off > int64(len(d.abbrev)) {
		return nil, fmt.Errorf("abbreviations at %#x of %#x", off, len(d.abbrev))
	}
	abbrev := d.abbrev[off:min(off+maxAbbrevs, int64(len(d.abbrev)))]
	binary.LittleEndian.PutUint32(unit, uint32(len(unit)-4))
	binary.LittleEndian.PutUint32(unit[abbrevAt:], 0)
	data, err = dwarf.New(abbrev, nil, nil, unit, nil, nil, nil, nil)
	if err == nil && d.addr != nil {
		err = data.AddSection(".debug_addr", d.addr)
	}
	return data, err
}

// isRuntime reports whether a unit is of Go's package runtime. root holds its first bytes. A unit
// that cannot be decoded is not: C compilers write attributes that refer to sections that are not
// loaded.
func (d *dwarfReader) isRuntime(root []byte) bool {
	data, err := d.decode(root)
	if err != nil {
		return false
	}
	e, err := firstEntry(data)
	if err != nil || e == nil || e.Tag != dwarf.TagCompileUnit {
		return false
	}
	const langGo = 0x16 // DW_LANG_Go
	lang, _ := e.Val(dwarf.AttrLanguage).(int64)
	return lang == langGo && e.Val(dwarf.AttrName) == "runtime"
}

func firstEntry(data *dwarf.Data) (e *dwarf.Entry, err error) {
	defer recovered(&err)
	return data.Reader().Next()
}

// walk collects the structs of interest from a unit. It avoids Reader.SkipChildren, which recurses
// as deep as a forged unit is nested.
func (d *dwarfReader) walk(data *dwarf.Data) (err error) {
	defer recovered(&err)
	r := data.Reader()
	var current structOffsets // the struct whose members are being read
	for depth := 0; ; {
		e, err := r.Next()
		if err != nil {
			return err
		}
		if e == nil {
			return nil
		}
		if d.steps -= 1 + len(e.Field); d.steps < 0 {
			return fmt.Errorf("more than %d entries: %w", maxSteps, objfile.ErrLimit)
		}
		switch {
		case e.Tag == 0:
			if depth--; depth <= 1 {
				if current = nil; len(d.structs) == len(structNames) {
					return nil
				}
			}
			continue
		case depth == 1 && e.Tag == dwarf.TagStructType && e.Children:
			if current, err = d.addStruct(e); err != nil {
				return err
			}
		case depth == 2 && e.Tag == dwarf.TagMember && current != nil:
			if err := current.add(e); err != nil {
				return err
			}
		}
		if e.Children {
			depth++
		}
	}
}

// addStruct returns the offsets to fill in for a struct of interest, or nil for other structs.
func (d *dwarfReader) addStruct(e *dwarf.Entry) (structOffsets, error) {
	name, _ := e.Val(dwarf.AttrName).(string)
	owner, ok := structNames[name]
	if !ok {
		return nil, nil
	}
	if d.structs[owner] != nil {
		return nil, fmt.Errorf("%s occurs twice", name)
	}
	s := make(structOffsets)
	d.structs[owner] = s
	return s, nil
}

func (s structOffsets) add(e *dwarf.Entry) error {
	name, _ := e.Val(dwarf.AttrName).(string)
	at, ok := e.Val(dwarf.AttrDataMemberLoc).(int64)
	if !ok {
		return fmt.Errorf("member %.40q has no plain offset", name)
	}
	if _, twice := s[name]; twice && name != "_" {
		return fmt.Errorf("member %.40q occurs twice", name)
	}
	s[name] = at
	return nil
}

// recovered turns a panic of the decoder into an error: debug/dwarf is made for trusted files.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("decode: %v", r)
	}
}
