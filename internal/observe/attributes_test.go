package observe

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestAttributesUnread: more threads than are read are counted, and named in a warning.
func TestAttributesUnread(t *testing.T) {
	pid := os.Getpid()
	tids := slices.Repeat([]int32{int32(pid)}, mostAttributes+2)
	a := ReadAttributes(pid, tids[:mostAttributes])
	if a.Unread != 0 || len(a.ByTID) != 1 || strings.Contains(strings.Join(a.Warnings(), "\n"), "not compared") {
		t.Errorf("%d unread, %d read: %q", a.Unread, len(a.ByTID), a.Warnings())
	}
	if a = ReadAttributes(pid, tids); a.Unread != 2 ||
		!strings.Contains(strings.Join(a.Warnings(), "\n"), "2 threads were not compared") {
		t.Errorf("%d unread: %q", a.Unread, a.Warnings())
	}
}
