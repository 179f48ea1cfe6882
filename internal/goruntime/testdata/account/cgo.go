//go:build withcgo
// +build withcgo

package main

import _ "runtime/cgo" // as import "C" does, which excludes assembly in the same package
