package main

import (
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/docs"
	"github.com/pinwatch/pinwatch/vet"
)

// explainCheck returns the section of docs/vet.md on a check of vet, laid out for a terminal, or ""
// if there is no such check.
func explainCheck(name string) string {
	name = strings.ToLower(name)
	i := slices.IndexFunc(vet.Checks, func(c vet.Check) bool { return c.Name == name })
	_, section, found := strings.Cut(docs.Vet, "\n### "+name+"\n")
	if i < 0 || !found {
		return ""
	}
	section, _, _ = strings.Cut(section, "\n##")
	var b strings.Builder
	b.WriteString(name + ", a check of pinwatch vet: " + vet.Checks[i].Summary + "\n")
	code := false
	for line := range strings.Lines(section) {
		switch {
		case strings.HasPrefix(line, "```"):
			code = !code
		case code && line != "\n":
			b.WriteString("    " + strings.ReplaceAll(line, "\t", "    "))
		default:
			b.WriteString(line)
		}
	}
	b.WriteString("\nThe statement behind it: pinwatch explain " + vet.Checks[i].Statement + "\n")
	return b.String()
}
