package timehist

import (
	"debug/elf"
	"encoding/hex"
	"strings"
	"testing"
)

func TestFindPair(t *testing.T) {
	const (
		pc     = 0x1000
		record = 0x1100
		// lea 0x1001(%rip),%rax; mov %rcx,%rbx; call record; jmp; lea 0x1500(%rip),%rax; mov; call record
		amd64 = "48 8d 05 01 10 00 00 48 89 cb e8 f1 00 00 00 eb 0f 48 8d 05 00 15 00 00 48 89 cb e8 e0 00 00 00"
		// adrp x0, .+0x1000; add x0, x0, #16; mov x1, x2; bl record; b; adrp; add x0, x0, #1312; mov; bl record
		arm64 = "00 00 00 b0 00 40 00 91 e1 03 02 aa 3d 00 00 94 05 00 00 14 00 00 00 b0 00 80 14 91 e1 03 02 aa 38 00 00 94"
	)
	for name, tt := range map[string]struct {
		machine elf.Machine
		code    string
		first   uint64 // 0 = none
	}{
		"amd64":            {elf.EM_X86_64, amd64, 0x2008},
		"amd64, cut":       {elf.EM_X86_64, amd64[:60], 0},
		"amd64, no code":   {elf.EM_X86_64, strings.Replace(amd64, "48 89 cb", "06 06 06", 1), 0},
		"amd64, other way": {elf.EM_X86_64, strings.Replace(amd64, "48 89 cb", "48 89 c8", 1), 0}, // mov %rcx,%rax
		"amd64, too far":   {elf.EM_X86_64, strings.Replace(amd64, "00 15", "08 15", 1), 0},
		"arm64":            {elf.EM_AARCH64, arm64, 0x2010},
		"arm64, cut":       {elf.EM_AARCH64, arm64[:96], 0},
		"arm64, no page":   {elf.EM_AARCH64, strings.ReplaceAll(arm64, "00 00 00 b0", "1f 20 03 d5"), 0}, // nop
		"arm64, too far":   {elf.EM_AARCH64, strings.Replace(arm64, "00 80 14 91", "00 a0 14 91", 1), 0},
	} {
		code, err := hex.DecodeString(strings.ReplaceAll(tt.code, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		first, second, err := FindPair(tt.machine, code, pc, record)
		if first != tt.first || (err == nil) != (tt.first != 0) || err == nil && second != first+Size {
			t.Errorf("%s: %#x and %#x, %v; want %#x", name, first, second, err, tt.first)
		}
	}
}
