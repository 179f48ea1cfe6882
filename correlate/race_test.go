//go:build race

package correlate

// The race detector keeps up to five times the memory that the program uses beside it.
const shadow = 1 + 5
