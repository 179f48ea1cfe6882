package goruntime

import (
	"debug/elf"
	"encoding/binary"
	"strings"

	"golang.org/x/arch/x86/x86asm"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
	"github.com/pinwatch/pinwatch/internal/goruntime/offsets"
)

// lockCode is the number of bytes that are read of each function that locks. They may reach into
// the functions behind it, which is the runtime's code, too.
const lockCode = 256

// lockFields returns the distances from a pointer at which the program's code that locks a
// goroutine reads and writes, or nil if that code is not known. addrs holds link-time addresses.
// The two functions are one where the compiler has inlined the second (runtime/proc.go).
func lockFields(img *objfile.Image, addrs map[string]uint64) map[uint32]bool {
	if addrs[fnLockOSThread] == 0 {
		return nil
	}
	code, fields := img.Space(), make(map[uint32]bool)
	for _, name := range []string{fnLockOSThread, fnDoLock} {
		buf := make([]byte, lockCode)
		if addr := addrs[name]; addr == 0 || code.Read(buf, addr) != nil {
			continue
		}
		if img.Machine == elf.EM_AARCH64 {
			fieldsARM64(buf, fields)
		} else {
			fieldsAMD64(buf, fields)
		}
	}
	return fields
}

func fieldsAMD64(code []byte, fields map[uint32]bool) {
	for len(code) > 0 {
		inst, err := x86asm.Decode(code, 64)
		if err != nil || inst.Len <= 0 {
			return
		}
		for _, arg := range inst.Args {
			if mem, ok := arg.(x86asm.Mem); ok && mem.Base != 0 && mem.Base != x86asm.RSP && mem.Base != x86asm.RIP {
				fields[uint32(mem.Disp)] = true
			}
		}
		code = code[inst.Len:]
	}
}

// fieldsARM64 reads loads and stores with an unsigned distance, which counts in units of the size.
func fieldsARM64(code []byte, fields map[uint32]bool) {
	for ; len(code) >= 4; code = code[4:] {
		if w := binary.LittleEndian.Uint32(code); w&0x3f000000 == 0x39000000 {
			fields[w>>10&0xfff<<(w>>30)] = true
		}
	}
}

// fits reports whether code that locks a goroutine, at whose distances fields are, may have these
// offsets. It is true if that code is not known.
func fits(fields map[uint32]bool, o *Offsets) bool {
	return fields == nil || fields[o.GM] && fields[o.GLockedM] && fields[o.MLockedG] && fields[o.MLockedExt]
}

// hint is what a user can do about a hidden release: name it. The releases whose offsets fit the
// code of the program are a help.
func (r *Runtime) hint(fields map[uint32]bool) string {
	builtin, err := offsets.Builtin()
	if err != nil || fields == nil {
		return "if you know its Go release, add --go-version go1.N.P"
	}
	var releases []string
	for i := range builtin {
		if row := &builtin[i]; row.Arch == r.Arch && fits(fields, &row.Offsets) {
			releases = append(releases, row.From.String())
		}
	}
	if releases == nil {
		return "its code fits no release that pinwatch knows"
	}
	return "its code fits " + strings.Join(releases, ", ") + " and their patch releases: if you know which it is, " +
		"add --go-version go1.N.P"
}
