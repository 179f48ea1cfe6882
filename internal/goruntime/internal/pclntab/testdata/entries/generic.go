//go:build go1.18
// +build go1.18

package main

func init() { more = generic }

//go:noinline
func plainGeneric[T any]() { report("generic, some way") }

//go:noinline
func argsGeneric[T any](form string, v T) { report(form) }

func smallGeneric[T any](form string, v T) { report(form) }

type pair[A, B any] struct {
	a A
	b B
}

func (p *pair[A, B]) run(form string) { report(form) }

func (p *pair[A, B]) plain() { report("generic method") }

func startGeneric[T any](v T) { go argsGeneric("generic in generic", v) }

func generic(wait func()) {
	go plainGeneric[int]()
	wait()
	go argsGeneric("generic with arguments", thing{})
	wait()
	go smallGeneric("generic inlined", "")
	wait()
	go (&pair[int, string]{}).run("generic method with argument")
	wait()
	go (&pair[int, *thing]{}).plain()
	wait()
	startGeneric(&thing{})
	wait()
	value := choose(plainGeneric[string]) // the compiler makes a closure
	go value()
	wait()
}
