//go:build !go1.16
// +build !go1.16

package probe

// NameAllThreads: releases before Go 1.16 have no AllThreadsSyscall.
func NameAllThreads(name string) (ok bool, err error) { return false, nil }
