package goruntime

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxRawName = 64 << 10 // bytes of a name in the table: with type arguments written out, names get long
	maxName    = 1 << 10  // bytes of a name as it is given
)

// text returns the string that starts at off and ends before a zero byte, with nothing in it that cannot be printed.
func (t *funcTable) text(off int64) (string, error) {
	var raw []byte
	for {
		data, err := t.data.from(off + int64(len(raw)))
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
			return "", fmt.Errorf("string of more than %d bytes: %w", maxRawName, errLimit)
		}
		if end >= 0 {
			return string(raw), nil
		}
	}
}

// elide replaces the type arguments in a function's name by "[...]", as the runtime does when it names the function.
// The table has them written out since Go 1.21 (runtime/traceback.go, funcNamePiecesForPrint). Arrays' lengths go with them:
// "type:.eq.[...]main.T".
func elide(name string) string {
	open, end := strings.IndexByte(name, '['), strings.LastIndexByte(name, ']')
	if open < 0 || end <= open {
		return name
	}
	return name[:open] + "[...]" + name[end+1:]
}

// clean makes a string of the target's safe to print: the target chose these bytes.
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
