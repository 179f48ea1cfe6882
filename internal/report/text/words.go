package text

import (
	"fmt"
	"strings"

	"github.com/pinwatch/pinwatch/internal/unit"
)

const (
	// none stands for a value that is not known or does not exist.
	none = "–"
	// unknown is the role or lock of a thread in JSON when the runtime's memory could not be read.
	unknown = "unknown"
	// ioWorker is the role of a thread that the kernel made for its own work.
	ioWorker = "io_worker"
)

// or is *s, or other when s is nil.
func or[T any](s *T, other T) T {
	if s == nil {
		return other
	}
	return *s
}

// duration writes nanoseconds with their unit; none where they are not known.
func duration(ns *int64) string {
	if ns == nil {
		return none
	}
	return unit.Duration(float64(*ns))
}

// number writes an identifier, without separators.
func number[T int | int32 | int64 | uint64 | uint32](v *T) string {
	if v == nil {
		return none
	}
	return fmt.Sprint(*v)
}

// ending cuts a function's name to width runes and keeps its end, which differs within a package.
func ending(name string, width int) string {
	if runes := []rune(name); len(runes) > width {
		return "…" + string(runes[len(runes)-max(width-1, 0):])
	}
	return name
}

// blocks are a bar's heights, lowest first.
var blocks = []rune("▁▂▃▄▅▆▇█")

// sparkline draws one bar per count, the fullest at full height. An empty stretch is blank, so that
// rare samples still show.
func sparkline(hist [][2]int64) string {
	var most int64
	for _, h := range hist {
		most = max(most, h[1])
	}
	var b strings.Builder
	for _, h := range hist {
		if h[1] == 0 {
			b.WriteByte(' ')
			continue
		}
		b.WriteRune(blocks[(h[1]*int64(len(blocks))-1)/most])
	}
	return b.String()
}
