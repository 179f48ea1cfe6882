// Packed is what a run-time packer leaves, on amd64: its executable is a stub without section
// headers, and the Go program lies only in anonymous memory. It packs itself and executes the
// result.
package main

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"runtime"
	"strconv"
	"syscall"
)

// Places in the packed program, which is mapped as it is in its file. stub_amd64.s has them, too.
const (
	base     = 0x10000000
	codeAt   = 0x1000
	tableAt  = 0x2000
	bodyAt   = 0x3000
	pageSize = 0x1000
)

// stubCode returns the bounds of the code that unpacks.
func stubCode() (start, end uintptr)

// A piece is what the stub makes of one segment. The stub ends at a piece with address 0: it jumps
// to its size.
type piece struct {
	addr, size, from, length, to, prot uint64
}

// pack returns a program that unpacks the given one, which is static and not position independent.
func pack(program, code []byte) []byte {
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		panic(err)
	}
	var table []piece
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD {
			continue
		}
		addr := p.Vaddr &^ (pageSize - 1)
		prot := uint64(0)
		for flag, bit := range map[elf.ProgFlag]uint64{elf.PF_R: 1, elf.PF_W: 2, elf.PF_X: 4} {
			if p.Flags&flag != 0 {
				prot |= bit
			}
		}
		table = append(table, piece{addr, p.Vaddr + p.Memsz - addr, base + bodyAt + p.Off, p.Filesz, p.Vaddr, prot})
	}
	table = append(table, piece{size: f.Entry})
	size := uint64(bodyAt + len(program))
	header := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Entry: base + codeAt,
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
	}
	copy(header.Ident[:], "\x7fELF\x02\x01\x01")
	segment := elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: base, Filesz: size, Memsz: size,
		Align: pageSize,
	}
	packed := make([]byte, size)
	for at, v := range map[int]any{0: header, 64: segment, codeAt: code, tableAt: table} {
		if _, err := binary.Encode(packed[at:], binary.LittleEndian, v); err != nil {
			panic(err)
		}
	}
	for i, b := range program {
		packed[bodyAt+i] = b ^ 0x5a // so that nothing in the file looks like Go
	}
	return packed
}

func packSelf() {
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		panic(err)
	}
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		panic(err)
	}
	start, end := stubCode()
	code := make([]byte, end-start)
	text := f.Section(".text")
	if _, err := text.ReadAt(code, int64(uint64(start)-text.Addr)); err != nil {
		panic(err)
	}
	name := os.TempDir() + "/packed-" + strconv.Itoa(os.Getpid())
	if err := os.WriteFile(name, pack(program, code), 0o700); err != nil {
		panic(err)
	}
	panic(syscall.Exec(name, os.Args, append(os.Environ(), "PACKED="+name)))
}

func pinned(up chan<- struct{}) {
	runtime.LockOSThread() // for good
	up <- struct{}{}
	select {}
}

func pinAndLeave(gone chan<- struct{}) {
	runtime.LockOSThread()
	gone <- struct{}{} // ends without UnlockOSThread: its thread ends, too
}

func main() {
	name := os.Getenv("PACKED")
	if name == "" {
		packSelf()
	}
	_ = os.Remove(name)
	up := make(chan struct{})
	for range 3 {
		go pinned(up)
		<-up
	}
	account := json.NewEncoder(os.Stdout)
	_ = account.Encode(map[string]any{"pinned": 3, "go_version": runtime.Version()})
	in := bufio.NewReader(os.Stdin)
	_, _ = in.ReadString('\n')
	gone := make(chan struct{})
	for range 20 {
		go pinAndLeave(gone)
		<-gone
	}
	_, _ = io.Copy(io.Discard, in)
	_ = account.Encode(map[string]any{"exits": 20})
}
