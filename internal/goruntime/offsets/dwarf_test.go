package offsets

import (
	"bytes"
	"compress/zlib"
	"debug/dwarf"
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
	"github.com/pinwatch/pinwatch/internal/goruntime/internal/testprog"
)

// Codes of the abbreviations that makeAbbrev writes.
const (
	abbrevUnit = iota + 1
	abbrevStruct
	abbrevMember
	abbrevNest   // a block with children and no attributes, of one byte
	abbrevExpr   // a member whose offset is an expression
	abbrevStrp   // a unit whose name is in .debug_str
	abbrevFields // a base type with many attributes of no size
)

// makeAbbrev writes .debug_abbrev.
func makeAbbrev() []byte {
	const (
		formString, formUdata, formData1, formExprloc, formStrp, formPresent = 0x08, 0x0f, 0x0b, 0x18, 0x0e, 0x19
	)
	var b []byte
	decl := func(code int, tag dwarf.Tag, children byte, attrs ...uint64) {
		b = append(b, byte(code), byte(tag), children)
		for _, a := range append(attrs, 0, 0) {
			b = binary.AppendUvarint(b, a)
		}
	}
	decl(abbrevUnit, dwarf.TagCompileUnit, 1, uint64(dwarf.AttrName), formString, uint64(dwarf.AttrLanguage), formData1)
	decl(abbrevStruct, dwarf.TagStructType, 1, uint64(dwarf.AttrName), formString, uint64(dwarf.AttrByteSize), formUdata)
	decl(abbrevMember, dwarf.TagMember, 0, uint64(dwarf.AttrName), formString, uint64(dwarf.AttrDataMemberLoc), formUdata)
	decl(abbrevNest, dwarf.TagLexDwarfBlock, 1)
	decl(abbrevExpr, dwarf.TagMember, 0, uint64(dwarf.AttrName), formString, uint64(dwarf.AttrDataMemberLoc), formExprloc)
	decl(abbrevStrp, dwarf.TagCompileUnit, 1, uint64(dwarf.AttrName), formStrp)
	many := make([]uint64, 0, 2*4000)
	for range 4000 {
		many = append(many, uint64(dwarf.AttrArtificial), formPresent)
	}
	decl(abbrevFields, dwarf.TagBaseType, 0, many...)
	return append(b, 0)
}

// unit writes a unit of DWARF 4, or 5.
func unit(version uint16, entries ...[]byte) []byte {
	le := binary.LittleEndian
	header := le.AppendUint16(nil, version)
	if version >= 5 {
		header = append(header, 1, 8) // a compile unit, 8-byte addresses
		header = le.AppendUint32(header, 0)
	} else {
		header = append(le.AppendUint32(header, 0), 8)
	}
	body := append(header, bytes.Join(entries, nil)...)
	return append(le.AppendUint32(nil, uint32(len(body))), body...)
}

func unitEntry(name string, lang byte) []byte {
	return append([]byte{abbrevUnit}, name+"\x00"+string([]byte{lang})...)
}

const langGo, langC = 0x16, 0x0c

// end closes the children of an entry.
var end = []byte{0}

func structEntry(name string, size uint64, members ...[]byte) []byte {
	b := append([]byte{abbrevStruct}, name+"\x00"...)
	return append(append(binary.AppendUvarint(b, size), bytes.Join(members, nil)...), 0)
}

func memberEntry(name string, at uint64) []byte {
	return binary.AppendUvarint(append([]byte{abbrevMember}, name+"\x00"...), at)
}

// sampleOffsets are those of Go 1.26.
var sampleOffsets = Offsets{
	GSched: 56, GSyscallSP: 104, GSyscallPC: 112,
	GM: 48, GStatus: 144, GGoid: 152, GLockedM: 208, GStartPC: 304, GWaitReason: 176,
	MG0: 0, MProcID: 64, MStartFn: 176, MCurG: 184, MP: 208, MID: 232, MLockedG: 384, MLockedExt: 648, MLockedInt: 652,
	MAllLink: 352, MIsExtra: 281,
	PID: 0,
}

// structs writes the entries of the three structs with the offsets o; Absent ones are left out.
func structs(o Offsets) []byte {
	var b []byte
	for _, owner := range []string{"g", "m", "p"} {
		var members [][]byte
		for _, f := range fields {
			if at := *f.offset(&o); f.owner == owner && at != Absent {
				members = append(members, memberEntry(f.name, uint64(at)))
			}
		}
		b = append(b, structEntry("runtime."+owner, 1<<20, members...)...)
	}
	return b
}

// runtimeUnit writes the unit of package runtime.
func runtimeUnit(entries ...[]byte) []byte {
	return unit(4, unitEntry("runtime", langGo), bytes.Join(entries, nil), end)
}

func dwarfImage(t testing.TB, sections map[string][]byte) *objfile.Image {
	t.Helper()
	b := testprog.ELF(sections)
	img, err := objfile.ReadImage(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestDWARF(t *testing.T) {
	without := sampleOffsets
	without.MIsExtra = Absent
	other := unit(4, unitEntry("main", langGo), structs(Offsets{}), end)
	inC := unit(4, unitEntry("runtime", langC), structs(Offsets{}), end)
	strp := unit(4, []byte{abbrevStrp, 0, 0, 0, 0}, []byte("runtime\x00"))
	nested := append(bytes.Repeat([]byte{abbrevNest}, 100), structEntry("runtime.g", 8)...) // a struct inside a function
	nested = append(nested, make([]byte, 100)...)
	for name, tt := range map[string]struct {
		info []byte
		want Offsets
	}{
		"plain":          {runtimeUnit(structs(sampleOffsets)), sampleOffsets},
		"DWARF 5":        {unit(5, unitEntry("runtime", langGo), structs(sampleOffsets), end), sampleOffsets},
		"no isextra":     {runtimeUnit(structs(without)), without},
		"behind others":  {bytes.Join([][]byte{other, inC, strp, runtimeUnit(structs(sampleOffsets))}, nil), sampleOffsets},
		"behind another": {runtimeUnit(nested, structEntry("runtime.gobuf", 8), structs(sampleOffsets)), sampleOffsets},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := FromDWARF(dwarfImage(t, map[string][]byte{".debug_info": tt.info, ".debug_abbrev": makeAbbrev()}))
			if err != nil || *got != tt.want {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

// edited returns the sample with a field changed.
func edited(edit func(o *Offsets)) Offsets {
	o := sampleOffsets
	edit(&o)
	return o
}

func TestDWARFForged(t *testing.T) {
	good := structs(sampleOffsets)
	expr := append([]byte{abbrevExpr}, "m\x00\x02\x23\x30"...)
	for name, tt := range map[string]struct {
		info []byte
		want string
	}{
		"far": {runtimeUnit(structs(edited(func(o *Offsets) { o.GGoid = 8 << 10 }))),
			"g.goid at 8192: not an aligned"},
		"misaligned": {runtimeUnit(structs(edited(func(o *Offsets) { o.MProcID = 65 }))),
			"m.procid at 65: not an aligned"},
		"twice": {runtimeUnit(structs(edited(func(o *Offsets) { o.MLockedG = o.MCurG }))),
			"m.lockedg at 184 overlaps m.curg"},
		"overlapping": {runtimeUnit(structs(edited(func(o *Offsets) { o.MLockedInt = o.MCurG + 4 }))),
			"m.lockedInt at 188 overlaps m.curg"},
		"missing": {runtimeUnit(structs(edited(func(o *Offsets) { o.MAllLink = Absent }))),
			"runtime.m has no member alllink"},
		"huge": {runtimeUnit(structEntry("runtime.g", 800, memberEntry("stack", math.MaxUint64)),
			structEntry("runtime.m", 0), structEntry("runtime.p", 0)), "g.stack at -1: outside 0 to"},
		"two structs": {runtimeUnit(structEntry("runtime.g", 8), good), "runtime.g occurs twice"},
		"two members": {runtimeUnit(structEntry("runtime.g", 800, memberEntry("m", 48), memberEntry("m", 56)), good),
			`member "m" occurs twice`},
		"expression":    {runtimeUnit(structEntry("runtime.g", 800, expr), good), `member "m" has no plain offset`},
		"no structs":    {runtimeUnit(), "lacks one of"},
		"nothing":       {nil, "lacks one of"},
		"short":         {[]byte{1, 0}, "unexpected EOF"},
		"no unit":       {make([]byte, 64), "a unit of 4 bytes"},
		"truncated":     {runtimeUnit(good)[:200], "lacks one of"},
		"64-bit":        {bytes.Repeat([]byte{0xff}, 64), "64-bit"},
		"abbreviations": {unit(4, unitEntry("runtime", langGo), []byte{99}), "abbreviation"},
		"many fields":   {runtimeUnit(bytes.Repeat([]byte{abbrevFields}, 1<<13)), objfile.ErrLimit.Error()},
		"many units":    {bytes.Repeat(runtimeUnit(), 4<<10), objfile.ErrLimit.Error()},
		"long unit":     {append([]byte{0, 0, 0, 0x20}, runtimeUnit(good)[4:]...), objfile.ErrLimit.Error()},
		"large unit": {append([]byte{0, 0, 0, 0x08}, append(runtimeUnit(good)[4:], make([]byte, maxRoot)...)...),
			objfile.ErrLimit.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && len(tt.info) > 1<<12 {
				return // as in TestDWARFDeep
			}
			got, err := FromDWARF(dwarfImage(t, map[string][]byte{".debug_info": tt.info, ".debug_abbrev": makeAbbrev()}))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %+v, %v; want %q", got, err, tt.want)
			}
		})
	}
}

// TestDWARFDeep nests entries as deep as the unit is long.
func TestDWARFDeep(t *testing.T) {
	depths := map[int]error{1 << 16: nil, maxSteps: objfile.ErrLimit}
	if testing.Short() { // the race detector makes it many times slower, and there is only one goroutine
		delete(depths, maxSteps)
	}
	for depth, want := range depths {
		info := runtimeUnit(bytes.Repeat([]byte{abbrevNest}, depth), make([]byte, depth), structs(sampleOffsets))
		got, err := FromDWARF(dwarfImage(t, map[string][]byte{".debug_info": info, ".debug_abbrev": makeAbbrev()}))
		if !errors.Is(err, want) || want == nil && *got != sampleOffsets {
			t.Errorf("depth %d: got %+v, %v", depth, got, err)
		}
	}
}

// zdebug compresses a section as Go did before 1.19.
func zdebug(b []byte) []byte {
	var buf bytes.Buffer
	buf.WriteString("ZLIB")
	_ = binary.Write(&buf, binary.BigEndian, uint64(len(b)))
	z := zlib.NewWriter(&buf)
	_, _ = z.Write(b)
	z.Close()
	return buf.Bytes()
}

func TestDWARFCompressed(t *testing.T) {
	info, abbrev := runtimeUnit(structs(sampleOffsets)), makeAbbrev()
	got, err := FromDWARF(dwarfImage(t, map[string][]byte{".zdebug_info": zdebug(info), ".zdebug_abbrev": zdebug(abbrev)}))
	if err != nil || *got != sampleOffsets {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, sections := range map[string]map[string][]byte{
		"no magic":  {".zdebug_info": info, ".zdebug_abbrev": zdebug(abbrev)},
		"no stream": {".zdebug_info": []byte("ZLIB\x00\x00\x00\x00\x00\x00\x00\x01junk"), ".zdebug_abbrev": zdebug(abbrev)},
		"cut":       {".zdebug_info": zdebug(info)[:60], ".zdebug_abbrev": zdebug(abbrev)},
		"no abbrev": {".zdebug_info": zdebug(info)},
	} {
		if got, err := FromDWARF(dwarfImage(t, sections)); err == nil {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// TestDWARFBomb: a small file that states, or unpacks to, a large size costs little memory.
func TestDWARFBomb(t *testing.T) {
	zeros := make([]byte, maxAbbrev+1)
	promise := append([]byte{0, 0, 0, 0x03}, runtimeUnit(structs(sampleOffsets))[4:]...) // one unit of 48 MiB
	for name, sections := range map[string]map[string][]byte{
		"info": {".zdebug_info": zdebug(append(promise[:len(promise):len(promise)], zeros...)),
			".debug_abbrev": makeAbbrev()},
		"abbrev":  {".debug_info": runtimeUnit(structs(sampleOffsets)), ".zdebug_abbrev": zdebug(zeros)},
		"promise": {".debug_info": promise, ".debug_abbrev": makeAbbrev()},
	} {
		t.Run(name, func(t *testing.T) {
			img := dwarfImage(t, sections)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := FromDWARF(img)
			runtime.ReadMemStats(&after)
			const limit = 512 << 20 // allocated in total: growing a buffer to its limit takes a few times the limit
			if got := after.TotalAlloc - before.TotalAlloc; got > limit {
				t.Errorf("%d MiB, %v", got>>20, err)
			}
			if err == nil {
				t.Error("no error")
			}
		})
	}
}

func FuzzDWARF(f *testing.F) {
	abbrev := makeAbbrev()
	f.Add(runtimeUnit(structs(sampleOffsets)), abbrev, []byte{})
	f.Add(unit(5, unitEntry("runtime", langGo), structs(sampleOffsets), end), abbrev, make([]byte, 16))
	f.Fuzz(func(t *testing.T, info, abbrev, addr []byte) {
		sections := map[string][]byte{".debug_info": info, ".debug_abbrev": abbrev, ".debug_addr": addr}
		o, err := FromDWARF(dwarfImage(t, sections))
		if err == nil && o.check() != nil {
			t.Errorf("%+v: %v", *o, o.check())
		}
	})
}
