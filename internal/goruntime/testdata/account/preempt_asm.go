//go:build (go1.14 && !go1.15) || go1.18
// +build go1.14,!go1.15 go1.18

package main

// asyncPreempt returns the address of runtime.asyncPreempt.
func asyncPreempt() uintptr
