// Package callgraph reads programs that were built for other systems: which function of a program
// calls which, and which functions of the system. It knows the code of amd64 only.
package callgraph

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/arch/x86/x86asm"
)

// Program is the image of an executable. Addresses are those that it was linked for.
type Program struct {
	file      []byte
	sections  []section
	functions []function        // of the program, by address
	imports   map[uint64]string // of the system, by the address of the pointer or the stub that leads there
}

// section is a part of the image.
type section struct {
	at   uint64
	data []byte
}

type function struct {
	at   uint64
	name string // runtime.newosproc, without the ABI
}

// Open reads an executable for amd64: ELF, Mach-O or PE, with its symbols.
func Open(name string) (*Program, error) {
	file, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	p := &Program{file: file, imports: map[uint64]string{}}
	r := bytes.NewReader(file)
	switch {
	case bytes.HasPrefix(file, []byte("\x7fELF")):
		err = p.elf(r)
	case bytes.HasPrefix(file, []byte("MZ")):
		err = p.pe(r)
	default:
		err = p.macho(r)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	slices.SortStableFunc(p.functions, func(a, b function) int { return int(int64(a.at - b.at)) })
	return p, nil
}

// Has reports whether the file has a word anywhere. A program without a function's name neither
// imports that function nor looks it up when it runs.
func (p *Program) Has(word string) bool { return bytes.Contains(p.file, []byte(word)) }

// add adds a function. On most systems assembly functions have their ABI in their name.
func (p *Program) add(at uint64, name string) {
	p.functions = append(p.functions, function{at, strings.TrimSuffix(name, ".abi0")})
}

// read returns n bytes of the image, or nil where it has none.
func (p *Program) read(at uint64, n int) []byte {
	for _, s := range p.sections {
		if at >= s.at && at-s.at < uint64(len(s.data)) && uint64(len(s.data))-(at-s.at) >= uint64(n) {
			return s.data[at-s.at:][:n]
		}
	}
	return nil
}

// find returns the index of the function that begins at an address, or else where it would be.
func (p *Program) find(at uint64) (int, bool) {
	return slices.BinarySearchFunc(p.functions, at, func(f function, at uint64) int { return int(int64(f.at - at)) })
}

// code is that of the function at an address, up to where the next one begins.
func (p *Program) code(at uint64) []byte {
	i, _ := p.find(at + 1)
	if i == len(p.functions) {
		return nil // the end of all functions, runtime.etext
	}
	return p.read(at, int(p.functions[i].at-at))
}

// uses returns the addresses of what a function calls, jumps to, or takes the address of, as it does
// with a function that is called on another stack. It ends at an instruction that is not known.
func (p *Program) uses(at uint64) (targets []uint64) {
	code := p.code(at)
	for pos := 0; pos < len(code); {
		inst, err := x86asm.Decode(code[pos:], 64)
		if err != nil || inst.Op == 0 { // Decode returns an unknown byte as a prefix
			return targets
		}
		pos += inst.Len
		next := at + uint64(pos)
		for _, arg := range inst.Args {
			switch arg := arg.(type) {
			case x86asm.Rel:
				targets = append(targets, next+uint64(arg))
			case x86asm.Mem:
				if arg.Base != x86asm.RIP {
					continue
				}
				target := next + uint64(arg.Disp)
				targets = append(targets, target)
				if value := p.read(target, 8); value != nil { // a func value is a pointer to the function's address
					targets = append(targets, binary.LittleEndian.Uint64(value))
				}
			}
		}
	}
	return targets
}

// farthest is how many calls a path may have. The runtime reaches a function of the system by a
// closure, a wrapper, a trampoline and a stub; over more calls, everything that may end in a panic
// reaches everything.
const farthest = 4

// Path is the shortest way by calls from a function to another, with both; nil = none. A function of
// the program has its package before its name: runtime.newosproc. One of the system has none.
func (p *Program) Path(from, to string) []string {
	var paths [][]string
	var ends []uint64 // of the paths
	seen := map[uint64]bool{}
	for _, f := range p.functions {
		if f.name == from {
			paths, ends = append(paths, []string{from}), append(ends, f.at)
		}
	}
	for i := 0; i < len(paths); i++ {
		if len(paths[i]) > farthest {
			return nil
		}
		for _, target := range p.uses(ends[i]) {
			name := p.imports[target]
			if at, ok := p.find(target); ok && name == "" {
				name = p.functions[at].name
			}
			if name == "" || seen[target] {
				continue
			}
			seen[target] = true
			path := append(slices.Clone(paths[i]), name)
			if name == to {
				return path
			}
			paths, ends = append(paths, path), append(ends, target)
		}
	}
	return nil
}
