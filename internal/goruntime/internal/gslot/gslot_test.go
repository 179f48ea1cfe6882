package gslot

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
	"github.com/pinwatch/pinwatch/internal/goruntime/internal/testprog"
)

// code decodes bytes written as objdump does.
func code(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLoadAMD64(t *testing.T) {
	const pc = 0x401000
	for name, tt := range map[string]struct {
		code string
		want tlsLoad
		ok   bool
	}{
		// mov %fs:-8,%rbx
		"local exec":     {"64 48 8b 1c 25 f8 ff ff ff", tlsLoad{offset: -8}, true},
		"far":            {"64 48 8b 04 25 a8 ff ff ff", tlsLoad{offset: -88}, true},
		"argument first": {"48 8b 7c 24 08 64 48 8b 04 25 f8 ff ff ff", tlsLoad{offset: -8}, true},
		// mov $-8,%rcx; mov %fs:(%rcx),%rax
		"relaxed": {"48 c7 c1 f8 ff ff ff 64 48 8b 01", tlsLoad{offset: -8}, true},
		// mov $-8,%r14; mov %fs:(%r14),%r14
		"r14": {"49 c7 c6 f8 ff ff ff 64 4d 8b 36", tlsLoad{offset: -8}, true},
		// mov 0xd7550(%rip),%rcx; mov %fs:(%rcx),%rax
		"initial exec": {"48 8b 0d 50 75 0d 00 64 48 8b 01", tlsLoad{got: pc + 7 + 0xd7550}, true},
		// nop before
		"GOT below": {"90 48 8b 0d f8 ff ff ff 64 48 8b 01", tlsLoad{got: pc + 1 + 7 - 8}, true},
		// mov %fs:16(%rcx),%rax
		"displaced": {"48 8b 0d 00 10 00 00 64 48 8b 41 10", tlsLoad{offset: 16, got: pc + 7 + 0x1000}, true},

		"displaced below": {"48 8b 0d 00 10 00 00 64 48 8b 41 f0", tlsLoad{offset: -16, got: pc + 7 + 0x1000}, true},

		// mov $-8,%rcx; mov %fs:(%rdx),%rax
		"other base": {"48 c7 c1 f8 ff ff ff 64 48 8b 02", tlsLoad{}, false},
		// inc %rcx between
		"not adjacent": {"48 c7 c1 f8 ff ff ff 48 ff c1 64 48 8b 01", tlsLoad{}, false},
		// mov %fs:-8(,%rcx,1),%rax
		"index": {"64 48 8b 04 0d f8 ff ff ff", tlsLoad{}, false},
		// mov %fs:0,%rax, which findAMD64 refuses
		"thread itself": {"64 48 8b 04 25 00 00 00 00 48 8b 40 f8", tlsLoad{offset: 0}, true},
		// mov %rdx,%rcx; mov %fs:(%rcx),%rax
		"from register": {"48 89 d1 64 48 8b 01", tlsLoad{}, false},
		// mov 8(%rdx),%rcx; mov %fs:(%rcx),%rax
		"via memory": {"48 8b 4a 08 64 48 8b 01", tlsLoad{}, false},
		// mov %fs:-8,%eax; ret
		"32 bits":     {"64 8b 04 25 f8 ff ff ff c3", tlsLoad{}, false},
		"gs":          {"65 48 8b 04 25 f8 ff ff ff c3", tlsLoad{}, false},
		"store":       {"64 48 89 04 25 f8 ff ff ff c3", tlsLoad{}, false},
		"behind ret":  {"c3 64 48 8b 1c 25 f8 ff ff ff", tlsLoad{}, false},
		"behind call": {"e8 00 00 00 00 64 48 8b 1c 25 f8 ff ff ff", tlsLoad{}, false},
		"behind jump": {"75 02 90 90 64 48 8b 1c 25 f8 ff ff ff", tlsLoad{}, false},
		"no code":     {"", tlsLoad{}, false},
		"cut":         {"64 48 8b 1c 25 f8 ff", tlsLoad{}, false},
		"junk":        {"0f 0b 06 06", tlsLoad{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := loadAMD64(code(t, tt.code), pc)
			if got != tt.want || (err == nil) != tt.ok || err != nil && !errors.Is(err, errNoLoad) {
				t.Errorf("got %+v, %v; want %+v, %t", got, err, tt.want, tt.ok)
			}
		})
	}
}

// words writes instructions of arm64.
func words(w ...uint32) []byte {
	var b []byte
	for _, v := range w {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

func TestLoadARM64(t *testing.T) {
	const (
		pc = 0x12345_678

		adrp, ldrb, cbz, mrs, ret = 0x9000061b, 0x39800360, 0xb40000a0, 0xd53bd040, 0xd65f03c0
		movz16, movzHigh, movk16  = 0xd280021b, 0xd2a0001b, 0xf280021b
		load, add, load0          = 0xf87b681c, 0x8b1b0000, 0xf940001c
		adrpGOT, ldrGOT           = 0xb000009b, 0xf947ef7b // adrp x27, 17 pages on; ldr x27, [x27, #0xfd8]
		adrpBack                  = 0xf0ffffdb             // adrp x27, 5 pages back
	)
	for name, tt := range map[string]struct {
		code []byte
		want tlsLoad
		ok   bool
	}{
		"local exec":      {words(adrp, ldrb, cbz, mrs, movz16, load, ret), tlsLoad{offset: 16}, true},
		"before Go 1.17":  {words(adrp, ldrb, cbz, mrs, movz16, add, load0, ret), tlsLoad{offset: 16}, true},
		"relaxed":         {words(adrp, ldrb, cbz, mrs, movzHigh, movk16, load, ret), tlsLoad{offset: 16}, true},
		"initial exec":    {words(mrs, adrpGOT, ldrGOT, load, ret), tlsLoad{got: 0x12345_000 + 17<<12 + 0xfd8}, true},
		"GOT below":       {words(mrs, adrpBack, ldrGOT, load, ret), tlsLoad{got: 0x12345_000 - 5<<12 + 0xfd8}, true},
		"other register":  {words(mrs, movz16^1, load, ret), tlsLoad{}, false},
		"no load":         {words(mrs, movz16, ret), tlsLoad{}, false},
		"movk alone":      {words(mrs, movk16, load, ret), tlsLoad{}, false},
		"no mrs":          {words(adrp, ldrb, cbz, movz16, load, ret), tlsLoad{}, false},
		"page alone":      {words(mrs, adrpGOT, load, ret), tlsLoad{}, false},
		"cut":             {words(mrs, movz16), tlsLoad{}, false},
		"cut at the page": {words(mrs, adrpGOT), tlsLoad{}, false},
		"no code":         {nil, tlsLoad{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := loadARM64(tt.code, pc)
			if !tt.ok {
				got = tlsLoad{}
			}
			if got != tt.want || (err == nil) != tt.ok || err != nil && !errors.Is(err, errNoLoad) {
				t.Errorf("got %+v, %v; want %+v, %t", got, err, tt.want, tt.ok)
			}
		})
	}
}

// finder returns a Finder for a program with the given code of its functions.
func finder(t testing.TB, funcs map[string][]byte, got int64) *Finder {
	t.Helper()
	text := make([]byte, 0x1000)
	data := testprog.ELF(map[string][]byte{".text": text})
	img, err := objfile.ReadImage(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	sec := img.Section(".text")
	f := &Finder{
		Image: img, Addrs: make(map[string]uint64), Main: true,
		GOT: func(uint64) (int64, error) { return got, nil },
	}
	at := 0
	for name, c := range funcs {
		copy(data[sec.Off+int64(at):], c)
		f.Addrs[name] = sec.Addr + uint64(at)
		at += codeSize
	}
	return f
}

func TestSlotRefused(t *testing.T) {
	const local, viaGOT = "64 48 8b 1c 25 f8 ff ff ff", "48 8b 0d 50 75 0d 00 64 48 8b 01"
	tls := elf.Prog64{Type: uint32(elf.PT_TLS), Vaddr: 0x500000, Memsz: 0x78, Align: 8}
	for name, tt := range map[string]struct {
		funcs map[string][]byte
		got   int64
		edit  func(*Finder)
		want  string // "": the slot is -8
	}{
		"plain": {funcs: map[string][]byte{fnMorestack: code(t, local), fnStackcheck: code(t, local),
			fnSystemstack: code(t, local)}},
		"one function": {funcs: map[string][]byte{fnStackcheck: code(t, local)}},
		"GOT":          {funcs: map[string][]byte{fnMorestack: code(t, viaGOT), fnStackcheck: code(t, local)}, got: -8},
		"symbol": {funcs: map[string][]byte{fnMorestack: code(t, local)}, edit: func(r *Finder) {
			r.Image.Progs, r.Addrs[symTLSAMD64] = append(r.Image.Progs, tls), 0x70
		}},
		"library's symbol": {funcs: map[string][]byte{fnMorestack: code(t, local)}, edit: func(r *Finder) {
			r.Image.Progs, r.Addrs[symTLSAMD64], r.Main = append(r.Image.Progs, tls), 0x20, false
		}},
		"no function": {want: "none of the functions that load g"},
		"disagreeing": {funcs: map[string][]byte{fnMorestack: code(t, viaGOT), fnStackcheck: code(t, local)}, got: -16,
			want: "another function"},
		"unknown form": {funcs: map[string][]byte{fnMorestack: code(t, local), fnStackcheck: code(t, "c3")},
			want: "runtime.stackcheck: loads g in no known way"},
		"unrelocated": {funcs: map[string][]byte{fnMorestack: code(t, viaGOT)}, got: 0, want: "unusual layout"},
		"above":       {funcs: map[string][]byte{fnMorestack: code(t, viaGOT)}, got: 16, want: "unusual layout"},
		"misaligned":  {funcs: map[string][]byte{fnMorestack: code(t, viaGOT)}, got: -12, want: "unusual layout"},
		"pointer":     {funcs: map[string][]byte{fnMorestack: code(t, viaGOT)}, got: -1 << 63, want: "not a distance"},
		"symbol elsewhere": {funcs: map[string][]byte{fnMorestack: code(t, local)}, edit: func(r *Finder) {
			r.Image.Progs, r.Addrs[symTLSAMD64] = append(r.Image.Progs, tls), 0x20
		}, want: "the symbol runtime.tlsg at -88"},
		"no memory": {funcs: map[string][]byte{fnMorestack: code(t, viaGOT)}, edit: func(r *Finder) {
			r.GOT = func(uint64) (int64, error) { return 0, os.ErrPermission }
		}, want: os.ErrPermission.Error()},
		"outside": {funcs: map[string][]byte{fnMorestack: nil}, edit: func(r *Finder) { r.Addrs[fnMorestack] = 1 << 40 },
			want: "loads g in no known way"},
	} {
		t.Run(name, func(t *testing.T) {
			r := finder(t, tt.funcs, tt.got)
			if tt.edit != nil {
				tt.edit(r)
			}
			slot, err := r.Find(false)
			found := err == nil && *slot == (Slot{TLS: -8})
			if tt.want == "" && !found || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %+v, %v; want %q", slot, err, tt.want)
			}
		})
	}
}

func FuzzGSlot(f *testing.F) {
	f.Add(code(f, "64 48 8b 1c 25 f8 ff ff ff"), code(f, "48 8b 0d 50 75 0d 00 64 48 8b 01"), int64(-8), false)
	f.Add(words(0xd53bd040, 0xd280021b, 0xf87b681c), []byte{}, int64(16), true)
	f.Fuzz(func(t *testing.T, a, b []byte, got int64, arm bool) {
		limit := func(c []byte) []byte { return c[:min(len(c), codeSize)] }
		r := finder(t, map[string][]byte{fnMorestack: limit(a), fnStackcheck: limit(b), fnLoadG: limit(a)}, got)
		if arm {
			r.Image.Machine = elf.EM_AARCH64
		}
		slot, err := r.Find(true)
		if err == nil && (slot.TLS%8 != 0 || slot.TLS < -maxTLS || slot.TLS > maxTLS || (slot.TLS < 0) == arm) {
			t.Errorf("%+v", *slot)
		}
	})
}
