//go:build go1.15 && !go1.18
// +build go1.15,!go1.18

package main

import (
	"reflect"
	_ "unsafe" // for go:linkname
)

// In these releases assembly may not name it: it has the ABI of Go.
//
//go:linkname runtimeAsyncPreempt runtime.asyncPreempt
func runtimeAsyncPreempt()

func asyncPreempt() uintptr { return reflect.ValueOf(runtimeAsyncPreempt).Pointer() }
