package rules

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"regexp"
)

// Limits of product files, which are neither tests nor generated.
const (
	maxFiles   = 25  // in a package
	maxLines   = 400 // in a file
	maxColumns = 120 // in a line; a tab is one
)

// preformatted begins the lines of a table in a package's comment.
var preformatted = []byte("//\t")

// noProduct matches the names of files without limits.
var noProduct = regexp.MustCompile(`_test\.go$|_bpfel\.go$|(^|/)testdata/`)

// CheckSizes lists the files, lines and packages that are too long. The paths are relative.
func CheckSizes(files []string) (problems []string, err error) {
	inFolder := map[string]int{}
	for _, name := range files {
		if noProduct.MatchString(name) {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("check sizes: %w", err)
		}
		folder := path.Dir(name)
		if inFolder[folder]++; inFolder[folder] == maxFiles+1 {
			problems = append(problems, fmt.Sprintf("%s has more than %d product files", folder, maxFiles))
		}
		lines := bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
		if len(lines) > maxLines {
			problems = append(problems, fmt.Sprintf("%s has %d lines, more than %d", name, len(lines), maxLines))
		}
		for i, line := range lines {
			if n := len(bytes.Runes(line)); n > maxColumns && !bytes.HasPrefix(line, preformatted) {
				problems = append(problems, fmt.Sprintf("%s:%d has %d columns, more than %d", name, i+1, n, maxColumns))
			}
		}
	}
	return problems, nil
}
