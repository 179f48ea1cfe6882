package vet

import (
	"go/ast"
	"go/token"

	"golang.org/x/tools/go/analysis"
)

// deferFix returns a fix that defers an unlock after a lock, where it only changes the end of the
// thread. That is so in the function of a goroutine: callers of other functions may rely on the
// lock. There is no fix where the state of the thread was changed, since the runtime must not reuse
// that thread, none in a loop, which would defer repeatedly, and none where the goroutine waits for
// another one: the unlock does not run while the wait lasts, and would hide that.
func (c *checker) deferFix(u *unit, p point) func(*analysis.Diagnostic) {
	none := func(*analysis.Diagnostic) {}
	if !c.isGoroutine(u) || u.file.cgo || p.callee != nil || c.changesThread(u, map[*unit]bool{}) || c.inLoop(u, p) ||
		c.waitIn(u, true, map[*unit]bool{}).IsValid() {
		return none
	}
	sel, ok := ast.Unparen(p.call.Fun).(*ast.SelectorExpr)
	if !ok {
		return none // a dot import or a variable: the name of UnlockOSThread is not known
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

// waitIn returns a place where a unit, or a function of the package that it calls, waits for
// another goroutine.
func (c *checker) waitIn(u *unit, sends bool, seen map[*unit]bool) token.Pos {
	if seen[u] {
		return token.NoPos
	}
	seen[u] = true
	for _, p := range u.flow.points {
		switch {
		case p.kind == waiting && (p.call == nil || calleeName(c.pass.TypesInfo, p.call) != "time.Sleep"):
			if sends || p.what != sending {
				return p.pos
			}
		case p.kind == calling && p.callee != nil:
			if c.waitIn(p.callee, sends, seen).IsValid() {
				return p.pos
			}
		}
	}
	return token.NoPos
}

// lineEnd returns pos, or the end of the comment after it on the same line.
func (c *checker) lineEnd(u *unit, pos token.Pos) token.Pos {
	for _, group := range u.file.syntax.Comments {
		if group.Pos() >= pos && c.line(group.Pos()) == c.line(pos) {
			return group.List[0].End()
		}
	}
	return pos
}

// changesThread reports whether a unit, or a function of the package that it calls, sets state of
// its thread.
func (c *checker) changesThread(u *unit, seen map[*unit]bool) bool {
	if seen[u] {
		return false
	}
	seen[u] = true
	changes := false
	ast.Inspect(u.body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && !changes {
			changes = c.setter(call).what != ""
			if v := c.calleeUnit(call); v != nil && !changes {
				changes = c.changesThread(v, seen)
			}
		}
		return !changes
	})
	return changes
}

// inLoop reports whether control can return to the lock.
func (c *checker) inLoop(u *unit, p point) bool {
	in := false
	ast.Inspect(u.body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.ForStmt, *ast.RangeStmt:
			in = in || n.Pos() <= p.pos && p.pos < n.End()
		case *ast.LabeledStmt: // possibly the target of a goto
			in = in || n.Pos() <= p.pos
		}
		return true
	})
	return in
}

// isStatement reports whether the call is a statement.
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
