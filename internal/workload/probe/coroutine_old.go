//go:build !go1.23
// +build !go1.23

package probe

// Coroutine: releases before Go 1.23 have no iter.Pull.
func Coroutine(f func(yield func(int) bool)) (next func() (int, bool), stop func(), ok bool) {
	return nil, nil, false
}
