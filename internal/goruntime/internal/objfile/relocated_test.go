package objfile

import (
	"debug/elf"
	"testing"
)

// TestThreadOffset compares with what linkers put into instructions; see "ELF Handling For Thread-Local
// Storage".
func TestThreadOffset(t *testing.T) {
	for _, tt := range []struct {
		machine elf.Machine
		p       elf.Prog64
		value   uint64
		want    int64
	}{
		{elf.EM_X86_64, elf.Prog64{Vaddr: 0x5966b0, Memsz: 0x78, Align: 8}, 0x20, -88}, // a static cgo program's
		{elf.EM_X86_64, elf.Prog64{Memsz: 8, Align: 8}, 0, -8},
		{elf.EM_X86_64, elf.Prog64{Vaddr: 0x1000, Memsz: 0x28, Align: 64}, 0x20, -32},
		{elf.EM_X86_64, elf.Prog64{Memsz: 8}, 0, -8},
		{elf.EM_AARCH64, elf.Prog64{Memsz: 8, Align: 8}, 0, 16},
		{elf.EM_AARCH64, elf.Prog64{Vaddr: 0x1000, Memsz: 0x40, Align: 64}, 8, 72},
	} {
		tt.p.Type = uint32(elf.PT_TLS)
		img := &Image{Machine: tt.machine, Progs: []elf.Prog64{tt.p}}
		if got, ok := img.ThreadOffset(tt.value); !ok || got != tt.want {
			t.Errorf("%s %+v %#x: %d, %t, want %d", tt.machine, tt.p, tt.value, got, ok, tt.want)
		}
	}
}
