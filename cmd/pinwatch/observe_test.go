package main

import (
	"testing"
	"time"
)

// The fuller the buffers are found, the sooner they are looked at again; once they are found nearly empty, all is as before.
func TestNextPoll(t *testing.T) {
	for _, c := range []struct {
		wait time.Duration
		fill float64
		want time.Duration
	}{
		{pollEvery, 0, pollEvery},
		{pollEvery, 1. / 8, pollEvery},
		{pollEvery, 1. / 4, pollEvery / 2},
		{pollEvery / 2, 1. / 4, pollEvery / 4},
		{pollEvery, 1, pollEvery / 8},
		{pollLeast, 1, pollLeast},
		{pollEvery / 4, 1. / 16, pollEvery / 2},
		{pollLeast, 0, pollEvery},
	} {
		if got := nextPoll(c.wait, pollEvery, c.fill); got != c.want {
			t.Errorf("after %v the buffers are %.3f full: next in %v, want %v", c.wait, c.fill, got, c.want)
		}
	}
}
