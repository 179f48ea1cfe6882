package vet

import (
	"go/ast"
	"go/token"

	"golang.org/x/tools/go/analysis"
)

// deferFix puts a deferred unlock behind a lock, where that changes nothing but what becomes of the thread: in the function of a
// goroutine, since callers of any other may rely on the lock; not where the thread's state was changed, which must not go back to
// the runtime; and not where a loop would defer again and again.
func (c *checker) deferFix(u *unit, p point) func(*analysis.Diagnostic) {
	none := func(*analysis.Diagnostic) {}
	if !c.isGoroutine(u) || u.file.cgo || p.callee != nil || c.changesThread(u, map[*unit]bool{}) || c.inLoop(u, p) {
		return none
	}
	sel, ok := ast.Unparen(p.call.Fun).(*ast.SelectorExpr)
	if !ok {
		return none // imported by dot, or a variable: which name unlocks?
	}
	pkg, ok := sel.X.(*ast.Ident)
	if !ok || !c.isStatement(u, p.call) {
		return none
	}
	at := c.lineEnd(u, p.call.End())
	return func(d *analysis.Diagnostic) {
		d.SuggestedFixes = []analysis.SuggestedFix{{
			Message:   "defer the unlock",
			TextEdits: []analysis.TextEdit{{Pos: at, End: at, NewText: []byte("\ndefer " + pkg.Name + ".UnlockOSThread()")}},
		}}
	}
}

// lineEnd is pos, or the end of the comment that stands behind it in the same line.
func (c *checker) lineEnd(u *unit, pos token.Pos) token.Pos {
	for _, group := range u.file.syntax.Comments {
		if group.Pos() >= pos && c.line(group.Pos()) == c.line(pos) {
			return group.List[0].End()
		}
	}
	return pos
}

// changesThread says whether a unit, or what it is seen to call, sets state of its thread, or calls what can't be seen to not do so:
// C code.
func (c *checker) changesThread(u *unit, seen map[*unit]bool) bool {
	if seen[u] {
		return false
	}
	seen[u] = true
	changes := false
	ast.Inspect(u.body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && !changes {
			changes = c.setter(call) != ""
			if v := c.calleeUnit(call); v != nil && !changes {
				changes = c.changesThread(v, seen)
			}
		}
		return !changes
	})
	return changes
}

// inLoop says whether control can come back to the lock.
func (c *checker) inLoop(u *unit, p point) bool {
	in := false
	ast.Inspect(u.body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.ForStmt, *ast.RangeStmt:
			in = in || n.Pos() <= p.pos && p.pos < n.End()
		case *ast.LabeledStmt: // the target of a goto, perhaps
			in = in || n.Pos() <= p.pos
		}
		return true
	})
	return in
}

// isStatement says whether the call is a statement of its own.
func (c *checker) isStatement(u *unit, call *ast.CallExpr) bool {
	found := false
	ast.Inspect(u.body, func(n ast.Node) bool {
		if s, ok := n.(*ast.ExprStmt); ok && s.X == call {
			found = true
		}
		return !found
	})
	return found
}
