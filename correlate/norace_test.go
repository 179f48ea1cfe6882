//go:build !race

package correlate

const shadow = 1
