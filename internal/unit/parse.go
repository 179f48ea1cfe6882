package unit

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ParseBytes reads a size that is not negative: a whole number, then K, M or G for powers of 1,024,
// with or without B: "4M", "64KB", "4096".
func ParseBytes(text string) (int64, error) {
	digits := strings.TrimRight(text, "kKmMgGbB ")
	n, err := strconv.ParseInt(digits, 10, 64)
	shift, ok := map[string]uint{"": 0, "K": 10, "M": 20,
		"G": 30}[strings.TrimSuffix(strings.ToUpper(strings.TrimSpace(text[len(digits):])), "B")]
	switch {
	case err != nil || !ok || n < 0:
		return 0, fmt.Errorf("%q is no size in bytes, such as 4M", text)
	case n > math.MaxInt64>>shift:
		return 0, fmt.Errorf("%q is too large", text)
	}
	return n << shift, nil
}
