package pclntab

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
)

// EntryName returns the name of the function that a goroutine was started with. pc is its run-time
// entry, g.startpc.
//
// It is Name(pc) unless the compiler made the function at pc for a go statement or a method value,
// as it does for "go f(x)" since Go 1.17. Then it is the function that is called there: f. It is
// the name that the compiler gave, such as main.main.gowrap1, where f is not in the code, as for a
// closure or a method of an interface, and where the code has more than that call.
func (s *Symbols) EntryName(pc uint64) string {
	if s = s.of(pc); s == nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if name, ok := s.entries[pc]; ok {
		return name
	}
	fn, name := s.named(pc)
	if fn.isWrapper(name) {
		if called, err := s.onlyCall(fn); err == nil {
			name = called
		}
	}
	if len(s.entries) == maxEntries {
		clear(s.entries)
	}
	s.entries[pc] = name
	return name
}

// wrapperName matches the names of functions that the compiler makes to call another function. For
// go statements these are f·dwrap·1 in Go 1.17 (walk/order.go of cmd/compile), f.func1 or, in a
// closure, f.func1.1 in Go 1.18 to 1.21, as for any closure (escape/call.go), and f.gowrap1 since
// then (ir/func.go). For method values the name is T.M-fm.
var wrapperName = regexp.MustCompile(`(·dwrap·[0-9]+|\.(func|gowrap)?[0-9]+|-fm)$`)

// isWrapper reports whether the compiler made fn to call another function. The number FuncIDWrapper
// differs from release to release, but all other numbers above 0 are for functions of package
// runtime (cmd/internal/objabi, GetFuncID).
func (fn function) isWrapper(name string) bool {
	return fn.id != 0 && !strings.HasPrefix(name, runtimePrefix) && wrapperName.MatchString(name)
}

const (
	runtimePrefix  = "runtime."
	maxWrapperCode = 4 << 10 // bytes; a wrapper that copies its arguments has some hundred
)

// onlyCall returns the name of the only function that fn calls, inlined or not. It ignores calls of
// package runtime, which the compiler adds to grow the stack, for write barriers and to copy large
// values.
func (s *Symbols) onlyCall(fn function) (only string, err error) {
	if fn.end-fn.entry > maxWrapperCode {
		return "", fmt.Errorf("%d bytes of code: %w", fn.end-fn.entry, objfile.ErrLimit)
	}
	code := make([]byte, fn.end-fn.entry)
	if err := s.table.data.spend(len(code)); err != nil {
		return "", err
	}
	if err := s.trees.file.Read(code, fn.entry); err != nil {
		return "", fmt.Errorf("read code: %w", err)
	}
	decode := callsAMD64
	if s.table.quantum == 4 {
		decode = callsARM64
	}
	calls, err := decode(code, fn.entry)
	if err != nil {
		return "", err
	}
	bodies, err := s.trees.bodies(fn)
	if err != nil {
		return "", err
	}
	called := make(map[string]bool)
	for _, b := range bodies {
		called[b.name] = true
	}
	for _, c := range calls {
		if slices.ContainsFunc(bodies, func(b inlinedBody) bool { return b.start <= c.at && c.at < b.end }) {
			continue
		}
		name, err := s.callee(c)
		if err != nil {
			return "", err
		}
		if !strings.HasPrefix(name, runtimePrefix) {
			called[name] = true
		}
	}
	if len(called) != 1 {
		return "", fmt.Errorf("calls %d functions", len(called))
	}
	for name := range called {
		only = name
	}
	return only, nil
}

// callee returns the name of the function that c calls.
func (s *Symbols) callee(c call) (string, error) {
	if c.indirect {
		return "", errors.New("calls an address that is not in the code")
	}
	if c.target < s.start || c.target >= s.end {
		return "", fmt.Errorf("calls %#x, which is not in Go code", c.target)
	}
	fn, err := s.table.find(c.target)
	if err != nil {
		return "", err
	}
	name, err := s.table.name(fn.name)
	if err == nil && c.target != fn.entry && !strings.HasPrefix(name, runtimePrefix) { // runtime.duffcopy has many entries
		err = fmt.Errorf("calls %#x, inside %s", c.target, name)
	}
	return name, err
}
