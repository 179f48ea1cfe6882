//go:build locks
// +build locks

package main

import "runtime"

func init() {
	go func() {
		runtime.LockOSThread()
		runtime.UnlockOSThread()
	}()
}
