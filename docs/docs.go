// Package docs holds the documents that pinwatch explain quotes: each entry is written once, here.
package docs

import (
	_ "embed"
	"regexp"
	"slices"
	"strings"
)

var (
	//go:embed findings.md
	findings string
	//go:embed vet.md
	vet string
	//go:embed words.md
	words string
)

// Entry explains one word.
type Entry struct {
	Title string
	Body  string // Markdown
}

// Finding explains a finding by its id; false where the document has neither a section nor a row on it.
func Finding(id string) (Entry, bool) { return about(findings, id) }

// Check explains a check of vet by its name.
func Check(name string) (Entry, bool) { return about(vet, name) }

// Word explains a word of the report, in each of its meanings.
func Word(word string) (e Entry, ok bool) {
	for _, m := range entry.FindAllStringSubmatch(words, -1) {
		if slices.ContainsFunc(strings.Split(m[1], "**, **"), func(name string) bool { return same(name, word) }) {
			e.Title, ok = strings.TrimPrefix(e.Title+" · "+strings.ReplaceAll(m[1], "**", ""), " · "), true
			e.Body += m[2] + "\n"
		}
	}
	return e, ok
}

// Findings are the ids that have an entry.
func Findings() []string { return names(findings) }

// Checks are the names of the checks of vet that have an entry.
func Checks() []string { return names(vet) }

// Words are the words that have an entry.
func Words() (names []string) {
	for _, m := range entry.FindAllStringSubmatch(words, -1) {
		names = append(names, strings.Split(m[1], "**, **")...)
	}
	return names
}

var (
	// entry is "- **one**, **other**: text" with the indented lines that follow.
	entry = regexp.MustCompile(`(?m)^- \*\*(.+?)\*\*: ((?:.*\n)(?:  .*\n)*)`)
	// row is a row of a table whose first cell is a name in code.
	row = regexp.MustCompile("(?m)^\\| `([^`]+)` \\|(.*)\\|$")
	// header is the first row of a table.
	header = regexp.MustCompile(`(?m)^\|(.*)\|\n\|[-|]+\|$`)
	// section is the title of a section on a name.
	section = regexp.MustCompile("(?m)^## `?([a-z0-9-]+)`?$")
)

// about joins the row of a table and the section on a name.
func about(doc, name string) (Entry, bool) {
	e := Entry{Title: name}
	if m := header.FindStringSubmatch(doc); m != nil {
		titles := strings.Split(m[1], "|")
		for _, r := range row.FindAllStringSubmatch(doc, -1) {
			if !same(r[1], name) {
				continue
			}
			for i, cell := range strings.Split(r[2], " | ") {
				if i+1 < len(titles) {
					e.Body += strings.TrimSpace(titles[i+1]) + ": " + strings.TrimSpace(cell) + "\n\n"
				}
			}
		}
	}
	for _, part := range strings.Split(doc, "\n## ")[1:] {
		title, body, _ := strings.Cut(part, "\n")
		if same(strings.Trim(title, "`"), name) {
			e.Body = strings.TrimSpace(body) + "\n\n" + e.Body
		}
	}
	return e, e.Body != ""
}

// names are those in the first cells of a document's tables, and of its other sections.
func names(doc string) (names []string) {
	for _, r := range append(row.FindAllStringSubmatch(doc, -1), section.FindAllStringSubmatch(doc, -1)...) {
		if !slices.Contains(names, r[1]) {
			names = append(names, r[1])
		}
	}
	return names
}

// same compares names in any case, with blanks for the signs that join words.
func same(a, b string) bool {
	join := strings.NewReplacer("_", " ", "-", " ")
	return strings.EqualFold(strings.TrimSpace(join.Replace(a)), strings.TrimSpace(join.Replace(b)))
}
