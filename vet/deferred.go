package vet

import "go/ast"

// deferredActions returns the actions of a defer statement.
func (c *checker) deferredActions(call *ast.CallExpr, u *unit) []action {
	if c.direct(call.Fun) != noEffect || c.calleeUnit(call) != nil {
		return c.deferredEffect(call.Fun, call)
	}
	e := action{call: call, pos: call.Pos(), site: -1}
	if set := c.setter(call); set.what != "" {
		e.kind, e.what, e.restores = deferSetting, set.what, set.kinds
		return []action{e}
	}
	if e.restores = c.putsBack(call, u); e.restores != 0 {
		e.kind = deferRestoring
		return []action{e}
	}
	return nil
}

// deferredEffect returns the actions of a function that runs at the end of the unit.
func (c *checker) deferredEffect(fun ast.Expr, call *ast.CallExpr) []action {
	e := action{kind: deferUnlock, call: call, pos: call.Pos(), site: -1}
	if c.direct(fun) == unlocks {
		return []action{e}
	}
	u := c.unitOf(fun)
	if u == nil {
		return nil
	}
	restores := action{
		kind: deferRestoring, call: call, pos: call.Pos(), site: -1, restores: c.restoresIn(u, map[*unit]bool{}),
	}
	if c.effects[u] == unlocks || c.unlocksSomewhere(u) {
		if c.unlocksIf(u) { // if the state was put back, as far as the source shows
			restores.restores = allKinds
		}
		return []action{e, restores}
	}
	c.inspectBody(u.body, func(n ast.Node) bool {
		if inner, ok := n.(*ast.CallExpr); ok && restores.kind != deferSetting {
			if what := c.setter(inner).what; what != "" {
				restores.kind, restores.call, restores.pos, restores.what = deferSetting, inner, inner.Pos(), what
			}
		}
		return true
	})
	return []action{restores}
}

// unlocksIf reports whether a unit unlocks under a condition.
func (c *checker) unlocksIf(u *unit) (found bool) {
	c.inspectBody(u.body, func(n ast.Node) bool {
		if s, ok := n.(*ast.IfStmt); ok {
			ast.Inspect(s, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				found = found || ok && c.direct(call.Fun) == unlocks
				return !found
			})
		}
		return !found
	})
	return found
}

// unlocksSomewhere reports whether a unit calls UnlockOSThread and not LockOSThread.
func (c *checker) unlocksSomewhere(u *unit) bool {
	found, locksToo := false, false
	c.inspectBody(u.body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			switch c.direct(call.Fun) {
			case unlocks:
				found = true
			case locks:
				locksToo = true
			}
		}
		return true
	})
	return found && !locksToo
}
