package goruntime

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// EntryName returns the name of the function that a goroutine was started with, whose run-time entry, g.startpc, is pc. That is
// Name(pc), but where the compiler made the function at pc for a go statement or a method value, as it does for "go f(x)" since
// Go 1.17, it is the function called there: f. Where that is a closure, a method of an interface or whatever else only the
// running program knows, and where the code is not plain, the name is that of what the compiler made, such as main.main.gowrap1.
func (s *Symbols) EntryName(pc uint64) string {
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

// wrapperName matches what the compiler calls the functions that it makes to call another one: for go statements f·dwrap·1 in
// Go 1.17 (walk/order.go of cmd/compile), f.func1, or f.func1.1 in a closure, like any closure, in Go 1.18 to 1.21
// (escape/call.go), f.gowrap1 since (ir/func.go); T.M-fm for method values.
var wrapperName = regexp.MustCompile(`(·dwrap·[0-9]+|\.(func|gowrap)?[0-9]+|-fm)$`)

// isWrapper reports whether the compiler made fn to call another function. The number of FuncIDWrapper is another one from
// release to release; but all others but 0 are for functions of package runtime (cmd/internal/objabi, GetFuncID).
func (fn function) isWrapper(name string) bool {
	return fn.id != 0 && !strings.HasPrefix(name, runtimePrefix) && wrapperName.MatchString(name)
}

const (
	runtimePrefix  = "runtime."
	maxWrapperCode = 4 << 10 // bytes; one that copies its arguments has some hundred
)

// onlyCall returns the name of the only function that fn calls, inlined or not, but for what the compiler lets it call in
// package runtime: to grow the stack, for write barriers, to copy large values.
func (s *Symbols) onlyCall(fn function) (only string, err error) {
	if fn.end-fn.entry > maxWrapperCode {
		return "", fmt.Errorf("%d bytes of code: %w", fn.end-fn.entry, errLimit)
	}
	code := make([]byte, fn.end-fn.entry)
	if err := s.table.data.spend(len(code)); err != nil {
		return "", err
	}
	if err := s.trees.file.read(code, fn.entry); err != nil {
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
		name, err := s.target(c)
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

// target returns the name of the function called.
func (s *Symbols) target(c call) (string, error) {
	if c.indirect {
		return "", errors.New("calls what only the running program knows")
	}
	if c.target < s.start || c.target >= s.end {
		return "", fmt.Errorf("calls %#x, which is not in Go code", c.target)
	}
	fn, err := s.table.find(c.target)
	if err != nil {
		return "", err
	}
	name, err := s.table.name(fn.name)
	if err == nil && c.target != fn.entry && !strings.HasPrefix(name, runtimePrefix) { // runtime.duffcopy is entered anywhere
		err = fmt.Errorf("calls %#x, inside %s", c.target, name)
	}
	return name, err
}
