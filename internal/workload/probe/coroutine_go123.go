//go:build go1.23
// +build go1.23

package probe

import "iter"

// Coroutine makes f a coroutine: a goroutine that runs only while the caller waits in next. f
// returns to its caller's side at each yield (iter.Pull, runtime/coro.go).
func Coroutine(f func(yield func(int) bool)) (next func() (int, bool), stop func(), ok bool) {
	next, stop = iter.Pull(f)
	return next, stop, true
}
