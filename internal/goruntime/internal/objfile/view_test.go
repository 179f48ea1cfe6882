package objfile

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"testing"
)

func TestFindStrings(t *testing.T) {
	// Across the edges of chunks, at the end, and as the tail of another string.
	data := make([]byte, 3*ViewSize)
	for _, at := range []int{0, ViewSize - 3, 2*ViewSize - 1, len(data) - 4} {
		copy(data[at:], "abc\x00")
	}
	copy(data[100:], "xxabc\x00abcd\x00")
	find := func(data []byte, names ...string) (map[uint32]string, error) {
		left := Budget(ReadBudget)
		return NewView(bytes.NewReader(data), int64(len(data)), &left).FindStrings(0, int64(len(data)), names)
	}
	hits, err := find(data, "abc", "nothing")
	got := slices.Sorted(maps.Keys(hits))
	want := []uint32{0, 102, ViewSize - 3, 2*ViewSize - 1, uint32(len(data) - 4)}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("FindStrings = %d, %v, want %d", got, err, want)
	}
	many := bytes.Repeat([]byte("abc\x00"), maxHits+1)
	if hits, err := find(many, "abc"); !errors.Is(err, ErrLimit) {
		t.Errorf("FindStrings = %d hits, %v", len(hits), err)
	}
}
