package pclntab

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
)

const (
	maxRawName = 64 << 10 // bytes of a name in the table, which may hold long type arguments
	maxName    = 1 << 10  // bytes of a name that is returned
)

// text returns the string that starts at off and ends before a zero byte.
func (t *funcTable) text(off int64) (string, error) {
	var raw []byte
	for {
		data, err := t.data.tail(off + int64(len(raw)))
		if err != nil {
			return "", err
		}
		end := bytes.IndexByte(data, 0)
		if end >= 0 {
			data = data[:end]
		}
		if err := t.data.spend(len(data)); err != nil {
			return "", err
		}
		raw = append(raw, data...)
		if len(raw) > maxRawName {
			return "", fmt.Errorf("string of more than %d bytes: %w", maxRawName, objfile.ErrLimit)
		}
		if end >= 0 {
			return string(raw), nil
		}
	}
}

// elide replaces the type arguments in a function's name by "[...]", as the runtime does
// (runtime/traceback.go, funcNamePiecesForPrint). The table holds them since Go 1.21. Lengths of
// arrays are replaced too: "type:.eq.[...]main.T".
func elide(name string) string {
	open, end := strings.IndexByte(name, '['), strings.LastIndexByte(name, ']')
	if open < 0 || end <= open {
		return name
	}
	return name[:open] + "[...]" + name[end+1:]
}

// clean makes a string from the target safe to print. It cuts the string to maxName bytes.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, s)
	if len(s) <= maxName {
		return s
	}
	const mark = "…"
	cut := maxName - len(mark)
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + mark
}
