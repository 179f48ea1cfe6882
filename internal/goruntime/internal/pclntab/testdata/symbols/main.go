// Command symbols prints frames as the runtime reports them: first stacks of itself, as one line of
// JSON, then one line for every program counter on its standard input, in hexadecimal. Any Go since
// 1.13 builds it.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
)

type frame struct {
	PC      uint64 `json:"pc"` // as from runtime.Callers
	Func    string `json:"func"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Entry   uint64 `json:"entry"`
	Inlined bool   `json:"inlined"`
}

// expand returns the frames of program counters.
func expand(pcs ...uintptr) []frame {
	result := []frame{}
	frames := runtime.CallersFrames(pcs)
	for {
		f, more := frames.Next()
		if f.PC != 0 {
			result = append(result, frame{uint64(f.PC) + 1, f.Function, f.File, f.Line, uint64(f.Entry), f.Func == nil})
		}
		if !more {
			return result
		}
	}
}

var stacks [][]frame

// here takes a stack. It must stay in the caller's frame: the compiler inlines the functions
// between.
func here() {
	pcs := make([]uintptr, 64)
	stacks = append(stacks, expand(pcs[:runtime.Callers(1, pcs)]...))
}

func one()   { two(); here() }
func two()   { three() }
func three() { four(); four() }
func four()  { here() }

type tree struct {
	left, right *tree
	visit       func()
}

func (t *tree) walk() {
	if t == nil {
		return
	}
	t.left.walk()
	t.each(t.visit)
	t.right.walk()
}

func (t tree) each(f func()) { f() }

type walker interface{ walk() }

type wrapped struct{ *tree } // the compiler makes its method walk

func recovered(t *tree) {
	defer func() {
		recover()
		one()
	}()
	t.left.left = nil // nil pointer: runtime.sigpanic is on the stack
}

func deferred() {
	for i := 0; i < 2; i++ {
		defer func(i int) { two() }(i)
	}
}

var generic = func() {} // set where the language has type parameters

func main() {
	one()
	func() { func() { two() }() }()
	var w walker = wrapped{&tree{left: &tree{visit: one}, visit: func() { three() }}}
	w.walk()
	recovered(&tree{})
	deferred()
	sort.Slice(make([]int, 3), func(i, j int) bool { one(); return i < j })
	strings.Map(func(r rune) rune { four(); return r }, "x")
	done := make(chan bool)
	go func() { defer close(done); one() }()
	<-done
	generic()

	out := json.NewEncoder(os.Stdout)
	out.Encode(stacks)
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		pc, err := strconv.ParseUint(in.Text(), 16, 64)
		if err != nil {
			panic(err)
		}
		result := []frame{}
		// The runtime takes pc+1 for a return address and subtracts one. It must stay in the same
		// function.
		f, next := runtime.FuncForPC(uintptr(pc)), runtime.FuncForPC(uintptr(pc)+1)
		if f != nil && next != nil && f.Entry() == next.Entry() {
			result = expand(uintptr(pc) + 1)
		}
		out.Encode(result)
	}
}
