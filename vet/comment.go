package vet

import (
	"go/ast"
	"go/token"
	"regexp"
	"strings"
)

// file is what is known of a source file.
type file struct {
	syntax    *ast.File
	generated bool // nobody will edit it
	test      bool
	cgo       bool // rewritten by cgo: its bytes are not those of the file it names
}

var generatedBy = regexp.MustCompile(`^// Code generated (.*) DO NOT EDIT\.$`)

// newFile: what cgo makes of a file says that it is generated, and keeps the comments of the file it was made of.
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

// ignoreReason tells whether a comment is an ignore, and why it says to.
func ignoreReason(comment *ast.Comment) (reason string, ok bool) {
	rest, ok := strings.CutPrefix(comment.Text, ignorePrefix)
	if !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return "", false
	}
	reason, _, _ = strings.Cut(rest, "//") // another directive, or a test's expectation
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
						"//pinwatch:ignore without a reason ignores nothing: write //pinwatch:ignore and why")
				}
			}
		}
	}
}

// ignored says whether an ignore with a reason stands on the line of pos, on the one above, or in the doc of the function around.
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

// prose is a comment group's text, in one line, without directives.
func prose(group *ast.CommentGroup) string {
	if group == nil {
		return ""
	}
	return strings.Join(strings.Fields(group.Text()), " ") // Text leaves directives out
}

// Words by which comments speak of what they are searched for.
var (
	aboutThreads = regexp.MustCompile(`(?i)thread|\bpin(s|ned|ning)?\b|goroutine|(network|mount|user|pid|current) namespace|netns|setns|unshare|affinity|main loop|(gl|current|rendering) context`)
	aboutUnlock  = regexp.MustCompile(`(?i)unlock|lock(ed)? (for ever|forever|for life|to die)|leav(e|es|ing) .*lock|stay.* lock|keep.* lock|remain.* lock|` +
		`thread.*\b(exits?|exited|dies?|dying|destroy\w*|discard\w*|terminat\w*|kill\w*|reap\w*|throw\w*|thrown|scrap\w*|retire\w*|reus\w*|re-us\w*|dedicate\w*|forever|lifetime|restor\w*)|` +
		`(exits?|dies?|destroy\w*|discard\w*|terminat\w*|kills?|reaps?|throws?|scraps?|retires?|dedicat\w*|restor\w*)\b.*\bthread`)
	aboutCaller = regexp.MustCompile(`(?i)\bcallers?\b|unlock|returned (func|closure|callback)|\bdefer\b|clean-?up|re-?exec|\brelease|\brestore`)
)

// justified says whether a comment explains the lock at pos: any comment beside, right above or right below its line; one a few
// lines off, above the statement that starts the goroutine or of the function, that speaks of threads.
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
		if aboutThreads.MatchString(c.above(v)) {
			return true
		}
	}
	return false
}

// outermost is the declaration that a unit lies in, or its own body.
func (c *checker) outermost(u *unit) ast.Node {
	if u.decl != nil {
		return u.decl
	}
	return u.body
}

// above is the comment over a unit: a declaration's doc, or what ends on the line before the statement a literal stands in.
func (c *checker) above(u *unit) string {
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

// says reports whether the comments in and over a unit, or over a function around it, match.
func (c *checker) says(u *unit, words *regexp.Regexp) bool {
	for v := u; v != nil; v = v.parent {
		if words.MatchString(c.above(v)) {
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
