package vet

import (
	"go/ast"
	"go/token"
	"regexp"
	"strings"
)

// file describes a source file.
type file struct {
	syntax    *ast.File
	generated bool // not edited by hand
	test      bool
	cgo       bool // rewritten by cgo: its bytes differ from those of the source file
}

var generatedBy = regexp.MustCompile(`^// Code generated (.*) DO NOT EDIT\.$`)

// newFile describes f. cgo marks its output as generated and keeps the comments of the source file,
// so only other marks count in it.
func (c *checker) newFile(f *ast.File) *file {
	out := &file{syntax: f}
	name := c.pass.Fset.File(f.Package).Name()
	out.cgo = c.pass.Fset.Position(f.Package).Filename != name
	for _, group := range f.Comments {
		for _, comment := range group.List {
			if m := generatedBy.FindStringSubmatch(comment.Text); m != nil && comment.Pos() < f.Package {
				out.generated = out.generated || !strings.Contains(m[1], "cmd/cgo") || !out.cgo
			}
		}
	}
	out.test = strings.HasSuffix(name, "_test.go")
	return out
}

const ignorePrefix = "//pinwatch:ignore"

// ignoreReason returns the reason in an ignore comment. ok is false for other comments.
func ignoreReason(comment *ast.Comment) (reason string, ok bool) {
	rest, ok := strings.CutPrefix(comment.Text, ignorePrefix)
	if !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return "", false
	}
	reason, _, _ = strings.Cut(rest, "//") // a second directive, or the expectation of a test
	return strings.TrimSpace(reason), true
}

// checkIgnores reports ignores without a reason.
func (c *checker) checkIgnores() {
	for _, f := range c.files {
		if f.generated {
			continue
		}
		for _, group := range f.syntax.Comments {
			for _, comment := range group.List {
				if reason, ok := ignoreReason(comment); ok && reason == "" {
					c.report(checkIgnore, nil, comment.Pos(), comment.Pos()+token.Pos(len(ignorePrefix)),
						"//pinwatch:ignore without a reason has no effect: write //pinwatch:ignore REASON")
				}
			}
		}
	}
}

// ignored reports whether an ignore with a reason is on the line of pos, on the line above, or in
// the doc of the enclosing function.
func (c *checker) ignored(u *unit, pos token.Pos) bool {
	if u == nil {
		return false
	}
	line := c.line(pos)
	for _, group := range u.file.syntax.Comments {
		inDoc := u.decl != nil && group == u.decl.Doc
		for _, comment := range group.List {
			if reason, ok := ignoreReason(comment); ok && reason != "" {
				if at := c.line(comment.Pos()); inDoc || at == line || c.line(group.End())+1 == line && at < line {
					return true
				}
			}
		}
	}
	return false
}

// prose returns the text of a comment group in one line, without directives.
func prose(group *ast.CommentGroup) string {
	if group == nil {
		return ""
	}
	return strings.Join(strings.Fields(group.Text()), " ") // Text leaves directives out
}

// Words that show the subject of a comment.
var (
	aboutThreads = regexp.MustCompile(`(?i)thread|\bpin(s|ned|ning)?\b|goroutine|` +
		`(network|mount|user|pid|current) namespace|netns|setns|unshare|affinity|main loop|(gl|current|rendering) context`)
	aboutUnlock = regexp.MustCompile(`(?i)unlock|lock(ed)? (for ever|forever|for life|to die)|leav(e|es|ing) .*lock|` +
		`stay.* lock|keep.* lock|remain.* lock|` +
		`thread.*\b(ends?|exits?|exited|dies?|dying|destroy\w*|discard\w*|terminat\w*|kill\w*|reap\w*|throw\w*|thrown|` +
		`scrap\w*|retire\w*|reus\w*|re-us\w*|dedicate\w*|forever|lifetime|restor\w*)|` +
		`(exits?|dies?|destroy\w*|discard\w*|terminat\w*|kills?|reaps?|throws?|` +
		`scraps?|retires?|dedicat\w*|restor\w*)\b.*\bthread`)
	aboutCaller = regexp.MustCompile(`(?i)\bcallers?\b|unlock|returned (func|closure|callback)|\bdefer\b|clean-?up|` +
		`re-?exec|\brelease|\brestore`)
)

// justified reports whether a comment explains the lock at pos. Any comment on its line, on the
// line above or the line below does. A comment within a few lines, above the statement that starts
// the goroutine, or on the function does if it is about threads.
func (c *checker) justified(u *unit, pos token.Pos) bool {
	const near = 4 // lines
	line := c.line(pos)
	around := c.outermost(u)
	for _, group := range u.file.syntax.Comments {
		text := prose(group)
		if text == "" {
			continue
		}
		first, last := c.line(group.Pos()), c.line(group.End())
		switch {
		case first == line || last == line-1 || first == line+1 && group.Pos() < u.body.End():
			return true
		case !aboutThreads.MatchString(text):
		case group.End() < pos && last >= line-near && group.Pos() > around.Pos():
			return true
		case group.Pos() > pos && first <= line+near && group.Pos() < u.body.End():
			return true
		}
	}
	for v := u; v != nil; v = v.parent {
		if aboutThreads.MatchString(c.commentAbove(v)) {
			return true
		}
	}
	return false
}

// outermost returns the declaration that contains the unit, or the body of the unit.
func (c *checker) outermost(u *unit) ast.Node {
	if u.decl != nil {
		return u.decl
	}
	return u.body
}

// commentAbove returns the comment above a unit: the doc of a declaration, or the comment that ends
// on the line before a literal.
func (c *checker) commentAbove(u *unit) string {
	if !u.isLiteral() {
		return prose(u.decl.Doc)
	}
	line := c.line(u.typ.Pos())
	for _, group := range u.file.syntax.Comments {
		if c.line(group.End()) == line-1 {
			return prose(group)
		}
	}
	return ""
}

// commented reports whether a comment in the unit, above it, or above an enclosing function matches
// words.
func (c *checker) commented(u *unit, words *regexp.Regexp) bool {
	for v := u; v != nil; v = v.parent {
		if words.MatchString(c.commentAbove(v)) {
			return true
		}
	}
	for _, group := range u.file.syntax.Comments {
		if u.body.Pos() <= group.Pos() && group.End() <= u.body.End() && words.MatchString(prose(group)) {
			return true
		}
	}
	return false
}
