// Command entries starts a goroutine by each form of the go statement, prints their reports as one
// line of JSON, and waits for the end of its standard input. Any Go since 1.13 builds it.
package main

import (
	"encoding/json"
	"io"
	"io/ioutil"
	"os"
	"runtime"
	"sync"
	"unsafe"
)

type account struct {
	Version    string      `json:"version"`
	Goroutines []goroutine `json:"goroutines"`
}

// A goroutine is the report of one.
type goroutine struct {
	Form  string `json:"form"`
	Entry uint64 `json:"entry"` // of the function that it began in, which the compiler may have made
	Func  string `json:"func"`  // the outermost function of its stack by the runtime, which leaves out wrappers
}

var reports = make(chan goroutine)

// frame returns the address of its caller's frame: the address of the next outer frame, then the
// return address.
func frame() *[2]uintptr

//go:noinline
func report(form string) {
	g := goroutine{Form: form}
	for f := frame(); f != nil; f = (*[2]uintptr)(unsafe.Pointer(f[0])) {
		if fn := runtime.FuncForPC(f[1] - 1); fn.Name() != "runtime.goexit" {
			g.Entry = uint64(fn.Entry())
		}
	}
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	for more := true; more; {
		var f runtime.Frame
		if f, more = frames.Next(); f.Function != "runtime.goexit" && f.Function != "" {
			g.Func = f.Function
		}
	}
	reports <- g
}

type thing struct {
	form string
	pad  [200]byte
}

func (t *thing) pointer()         { report(t.form) }
func (t *thing) pointerArg(n int) { report(t.form) }
func (t thing) value()            { report(t.form) }
func (t thing) valueArg(n int)    { report(t.form) }

type doer interface {
	pointer()
	pointerArg(n int)
}

type outer struct{ *thing }

type handle uintptr

func (h handle) run(form string) { report(form) }

type runner interface{ run(form string) }

//go:noinline
func plain() { report("plain") }

//go:noinline
func args(form string, n int) { report(form) }

//go:noinline
func result(form string) (int, error) { report(form); return 0, nil }

//go:noinline
func large(t thing) { report(t.form) }

//go:noinline
func variadic(form string, more ...interface{}) { report(form) }

// The compiler inlines the following functions unless inlining is off.

func small(form string)       { report(form) }
func smaller(form string)     { small(form) }
func two(form string, n *int) { args(form, *n); plainly(n) }
func plainly(n *int)          { *n++ }

func starter(form string) { go args(form, 1) }

//go:noinline
func choose(fs ...func()) func() { return fs[len(fs)-1] }

var more func(wait func()) // starts goroutines in forms that need a newer release

//go:noinline
func main() {
	var all []goroutine
	wait := func() { all = append(all, <-reports) }
	n := 1

	go plain()
	wait()
	go args("arguments", 1)
	wait()
	go result("result")
	wait()
	go large(thing{form: "large argument"})
	wait()
	go variadic("variadic", 1, "x")
	wait()
	go small("inlined")
	wait()
	go smaller("inlined twice")
	wait()
	go two("inlined with two calls", &n)
	wait()

	go func() { report("closure") }()
	wait()
	go func(n int) { report("closure with argument") }(1)
	wait()
	go func(p *int) { *p += n; report("closure with variable and argument") }(&n)
	wait()
	func() {
		go args("in closure", n)
		wait()
	}()
	starter("in inlined function")
	wait()

	t := &thing{form: "method"}
	go t.pointer()
	wait()
	go (&thing{form: "method with argument"}).pointerArg(1)
	wait()
	go thing{form: "method on value"}.value()
	wait()
	go thing{form: "method on value with argument"}.valueArg(1)
	wait()
	go (*thing).pointerArg(&thing{form: "method expression"}, 1)
	wait()
	go outer{&thing{form: "promoted method"}}.pointerArg(1)
	wait()

	value := choose((&thing{form: "method value"}).pointer)
	go value()
	wait()
	value = choose(outer{&thing{form: "promoted method value"}}.pointer)
	go value()
	wait()
	value = choose(doer(&thing{form: "interface method value"}).pointer)
	go value()
	wait()

	things := []doer{&thing{form: "interface method"}, &thing{form: "interface method with argument"}}
	runners := []runner{handle(1)}
	go things[0].pointer()
	wait()
	go things[1].pointerArg(1)
	wait()
	go runners[0].run("interface method on value")
	wait()
	functions := []func(string, int){args}
	go functions[0]("function value", 1)
	wait()

	var wg sync.WaitGroup
	wg.Add(1)
	go func() { wg.Wait(); report("closure with variable") }()
	wg.Done()
	wait()

	if more != nil {
		more(wait)
	}
	json.NewEncoder(os.Stdout).Encode(account{runtime.Version(), all})
	io.Copy(ioutil.Discard, os.Stdin)
}
