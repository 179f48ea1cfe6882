package observe

import (
	"testing"
	"time"
)

// TestNextPoll: the fuller the buffers, the sooner the next poll. Nearly empty buffers bring the
// wait back to pollEvery, and the fewer the events the longer the wait grows.
func TestNextPoll(t *testing.T) {
	for _, c := range []struct {
		wait time.Duration
		fill float64
		n    uint64
		want time.Duration
	}{
		{pollEvery, 0, 1000, pollEvery},
		{pollEvery, 1. / 8, 10000, pollEvery},
		{pollEvery, 1. / 4, 10000, pollEvery / 2},
		{pollEvery / 2, 1. / 4, 10000, pollEvery / 4},
		{pollEvery, 1, 10000, pollEvery / 8},
		{pollLeast, 1, 10000, pollLeast},
		{pollEvery / 4, 1. / 16, 1000, pollEvery / 2},
		{pollLeast, 0, 1000, pollEvery},
		{pollEvery, 0, 0, 2 * pollEvery},
		{pollEvery, 0, 800, pollEvery * 5 / 4},
		{2 * pollEvery, 0, 100, 4 * pollEvery},
		{4 * pollEvery, 0, 100, pollCalm},
		{pollCalm, 0, 2000, pollCalm / 2},
		{pollCalm, 0, 1e6, pollEvery},
		{pollCalm, 1, 1e6, pollCalm / 8},
	} {
		if got := nextPoll(c.wait, pollCalm, c.fill, c.n); got != c.want {
			t.Errorf("after %v the buffers are %.3f full, of %d events: next in %v, want %v",
				c.wait, c.fill, c.n, got, c.want)
		}
	}
}

// TestLongestWait: the records that can be sent during a wait fit into the smallest rings.
func TestLongestWait(t *testing.T) {
	for _, c := range []struct {
		turns     int
		aggregate bool
		want      time.Duration
	}{
		{1 << 17, false, pollCalm}, {1 << 17, true, pollSums},
		{1 << 12, false, 20480 * time.Microsecond}, {1 << 12, true, 102400 * time.Microsecond},
		{8, false, pollEvery}, {8, true, pollEvery},
	} {
		if got := longestWait(c.turns, c.aggregate); got != c.want {
			t.Errorf("%d turns, aggregating %v: %v, want %v", c.turns, c.aggregate, got, c.want)
		}
	}
}
