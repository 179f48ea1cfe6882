package pclntab

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
)

const (
	blockSize  = 4 << 10
	blockSlots = 256 // blocks kept: 1 MiB

	// lookUpBudget bounds the bytes that one look-up may read or step over: some 10 ms of work. The
	// most that was measured is a fifth of it, for an init function of a program with a table of 20
	// MB.
	lookUpBudget = 4 << 20
)

// blocks reads a large table in random order, as a binary search does, and keeps the blocks that it
// read. Each search reads the middle blocks again; an objfile.View would have lost them.
type blocks struct {
	r     io.ReaderAt
	size  int64
	left  *int // bytes that the look-up may still spend
	slots [blockSlots]struct {
		number int64 // plus one; 0 = empty
		data   []byte
	}
}

func (b *blocks) spend(n int) error {
	if *b.left -= n; *b.left < 0 {
		return fmt.Errorf("look-up needs more than %d MiB of reads: %w", lookUpBudget>>20, objfile.ErrLimit)
	}
	return nil
}

// tail returns the bytes from off to the end of their block, at least one. They are valid until the
// next call.
func (b *blocks) tail(off int64) ([]byte, error) {
	if off < 0 || off >= b.size {
		return nil, fmt.Errorf("offset %#x outside a table of %#x bytes", off, b.size)
	}
	number := off / blockSize
	// Multiplicative hashing: the steps of a binary search are multiples of large powers of two.
	const golden = 0x9e3779b97f4a7c15
	slot := &b.slots[uint64(number)*golden>>(64-bits.TrailingZeros(blockSlots))]
	if slot.number != number+1 {
		want := int(min(blockSize, b.size-number*blockSize))
		if err := b.spend(want); err != nil {
			return nil, err
		}
		if cap(slot.data) < want {
			slot.data = make([]byte, want, blockSize)
		}
		slot.number, slot.data = 0, slot.data[:want]
		if n, err := b.r.ReadAt(slot.data, number*blockSize); n < want {
			return nil, fmt.Errorf("read offset %#x: %w", number*blockSize, err)
		}
		slot.number = number + 1
	}
	return slot.data[off%blockSize:], nil
}

// read fills p with the bytes at off.
func (b *blocks) read(p []byte, off int64) error {
	for len(p) > 0 {
		if err := b.spend(len(p)); err != nil {
			return err
		}
		data, err := b.tail(off)
		if err != nil {
			return err
		}
		n := copy(p, data)
		p, off = p[n:], off+int64(n)
	}
	return nil
}

func (b *blocks) uint32(off int64) (uint32, error) {
	var buf [4]byte
	err := b.read(buf[:], off)
	return binary.LittleEndian.Uint32(buf[:]), err
}

func (b *blocks) uint64(off int64) (uint64, error) {
	var buf [8]byte
	err := b.read(buf[:], off)
	return binary.LittleEndian.Uint64(buf[:]), err
}

// A cursor reads a table byte by byte.
type cursor struct {
	b    *blocks
	off  int64 // of the byte after data
	data []byte
}

func (c *cursor) next() (byte, error) {
	if len(c.data) == 0 {
		data, err := c.b.tail(c.off)
		if err == nil {
			err = c.b.spend(len(data))
		}
		if err != nil {
			return 0, err
		}
		c.data, c.off = data, c.off+int64(len(data))
	}
	x := c.data[0]
	c.data = c.data[1:]
	return x, nil
}

// varint reads a number of at most 32 bits, seven bits a byte, the low bits first.
func (c *cursor) varint() (uint32, error) {
	var v uint32
	for shift := 0; shift < 35; shift += 7 {
		x, err := c.next()
		if err != nil {
			return 0, err
		}
		v |= uint32(x&0x7f) << shift
		if x < 0x80 {
			return v, nil
		}
	}
	return 0, fmt.Errorf("the number before offset %#x has more than 32 bits", c.off-int64(len(c.data)))
}
