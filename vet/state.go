package vet

import (
	"fmt"
	"go/ast"
	"go/token"
)

// changesUnlocked follows the name of a setter in a diagnostic.
const changesUnlocked = " changes the thread it runs on, and the goroutine is not locked to it"

// checkState checks changes of thread state in a unit, and goroutines that rely on it.
func (c *checker) checkState(u *unit) {
	for i, p := range u.flow.points {
		switch p.kind {
		case setting:
			c.checkSetting(u, p)
		case deferSetting:
			c.checkDeferredSetting(u, i)
		case going:
			c.checkGoing(u, p)
		case starting:
			c.checkStarting(u, p)
		case reads:
			c.checkReading(u, p)
		}
	}
}

func (c *checker) checkSetting(u *unit, p point) {
	if !p.before.surelyUnlocked() {
		return
	}
	switch origin := c.entered(u, map[*unit]bool{}); {
	case origin == nil:
		c.checkSetAndRestore(u, p)
	case origin.test && !u.test: // an error of the test, not of this function
	case p.before.released:
		c.report(checkCleanup, u, p.pos, p.call.End(),
			p.what+" after UnlockOSThread: it may run on another thread, and the thread that was locked keeps its state")
	case c.locksLater(u, p.pos):
		c.report(checkSetup, u, p.pos, p.call.End(),
			p.what+" before LockOSThread: the goroutine may be on another thread when it locks; lock first")
	default:
		message := p.what + changesUnlocked
		if origin != u {
			message += fmt.Sprintf(" (called from %s)", origin.name())
		}
		c.report(checkUnlocked, u, p.pos, p.call.End(), message, related(origin.pos(), "entered here, not locked"))
	}
}

// checkSetAndRestore reports an exported function that changes thread state and restores it,
// without a lock. It needs the same thread in between, and no comment asks its callers to lock.
func (c *checker) checkSetAndRestore(u *unit, first point) {
	if !u.isExported() || u.test || len(u.flow.sites) > 0 || c.commented(u, aboutThreads) {
		return
	}
	for _, use := range u.uses { // a caller in the package locks
		for _, p := range use.by.flow.points {
			if p.call == use.call && !p.before.surelyUnlocked() {
				return
			}
		}
	}
	for _, p := range u.flow.points {
		if p.kind != setting && p.kind != deferSetting || p.what != first.what {
			continue
		}
		if p.pos < first.pos {
			return // reported there
		}
		if p.pos > first.pos {
			c.report(checkUnlocked, u, first.pos, first.call.End(),
				fmt.Sprintf("%s changes the thread that %s runs on until line %d, and the goroutine is not locked to it here: "+
					"lock, or document that callers have to", first.what, u.name(), c.line(p.pos)),
				related(p.pos, "changed again here"))
			return
		}
	}
}

// locksLater reports whether the unit itself locks after pos.
func (c *checker) locksLater(u *unit, pos token.Pos) bool {
	for _, site := range u.flow.sites {
		if site.pos > pos {
			return true
		}
	}
	return false
}

// checkDeferredSetting reports state that is restored after a deferred unlock. The last deferred
// function runs first.
func (c *checker) checkDeferredSetting(u *unit, i int) {
	p := u.flow.points[i]
	for _, q := range u.flow.points[i+1:] {
		if q.kind == deferUnlock && !p.before.hasDeferred() {
			c.report(checkCleanup, u, p.pos, p.call.End(),
				fmt.Sprintf("deferred before the UnlockOSThread of line %d, %s runs after it, possibly on another thread: "+
					"defer the unlock first", c.line(q.pos), p.what),
				related(q.pos, "runs before"))
			return
		}
	}
	for _, q := range u.flow.points {
		if q.releases() && q.before.ledger.which(changed<<half)&p.restores != 0 {
			c.report(checkCleanup, u, p.pos, p.call.End(),
				fmt.Sprintf("deferred, %s runs after the UnlockOSThread of line %d, possibly on another thread: "+
					"defer the unlock too, first", p.what, c.line(q.pos)),
				related(q.pos, "runs before"))
			return
		}
	}
	if p.before.surelyUnlocked() && !c.locksLater(u, p.pos) {
		if origin := c.entered(u, map[*unit]bool{}); origin != nil {
			c.report(checkUnlocked, u, p.pos, p.call.End(),
				p.what+changesUnlocked, related(origin.pos(), "entered here, not locked"))
		}
	}
}

// entered returns a function of the package from which control reaches the start of the unit with
// the goroutine not locked. It returns nil if only callers outside the package reach the unit: they
// may have locked.
func (c *checker) entered(u *unit, seen map[*unit]bool) *unit {
	if seen[u] {
		return nil
	}
	seen[u] = true
	switch {
	case u.entry == started || c.handlerKind(u) != "" || c.isTest(u):
		return u
	case u.isInit(): // the main goroutine, which the runtime locks to the main thread until main
		return nil
	case u.inMain():
		if c.initLocks {
			return nil
		}
		return u
	case u.entry == inline:
		return c.enteredAt(u.parent, u.use.Pos(), seen)
	case u.entry == deferred:
		if u.parent == nil || u.parent.flow.has(locking) { // checkDeferredSetting checks the order
			return nil
		}
		return c.entered(u.parent, seen)
	case u.entry == handed:
		return nil
	}
	for _, use := range u.uses {
		if use.asGo {
			return u
		}
		if use.deferred && use.by.flow.has(locking) {
			continue
		}
		if origin := c.enteredAt(use.by, use.call.Pos(), seen); origin != nil {
			return origin
		}
	}
	return nil
}

// enteredAt is entered for a call at pos in u.
func (c *checker) enteredAt(u *unit, pos token.Pos, seen map[*unit]bool) *unit {
	if u == nil {
		return nil
	}
	for _, p := range u.flow.points {
		if p.pos == pos && p.kind == calling && !p.before.surelyUnlocked() {
			return nil
		}
	}
	if len(u.flow.sites) > 0 && !c.isCallPoint(u, pos) { // the place in u is not known
		return nil
	}
	return c.entered(u, seen)
}

func (c *checker) isCallPoint(u *unit, pos token.Pos) bool {
	for _, p := range u.flow.points {
		if p.pos == pos && p.kind == calling {
			return true
		}
	}
	return false
}

// isTest reports whether package testing runs the unit, on a new goroutine.
func (c *checker) isTest(u *unit) bool {
	if u.isLiteral() || u.decl.Recv != nil || u.typ.Params.NumFields() != 1 || !u.test {
		return false
	}
	t := c.pass.TypesInfo.TypeOf(u.typ.Params.List[0].Type)
	switch t.String() {
	case "*testing.T", "*testing.B":
		name := u.decl.Name.Name
		return len(name) > 4 && name[:4] == "Test" || len(name) > 9 && name[:9] == "Benchmark"
	}
	return false
}

// checkGoing reports a goroutine that needs the namespaces that its parent has entered. It runs on
// another thread.
func (c *checker) checkGoing(u *unit, p point) {
	if p.before.surelyUnlocked() || p.callee == nil || len(p.callee.flow.sites) > 0 || c.effects[p.callee] == locks {
		return
	}
	changed := ""
	for _, q := range u.flow.points {
		if q.kind == setting && q.pos < p.pos && namespaceSetters[q.what] && !q.before.surelyUnlocked() {
			changed = q.what
		}
	}
	if changed == "" {
		return
	}
	var needs *ast.CallExpr
	c.inspectBody(p.callee.body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && needs == nil && c.dependsOnNamespace(call) {
			needs = call
		}
		return true
	})
	if needs != nil {
		c.report(checkGoroutine, u, p.pos, p.call.Fun.Pos(),
			fmt.Sprintf("this goroutine does not run on the thread that %s changed: line %d runs in other namespaces",
				changed, c.line(needs.Pos())),
			related(needs.Pos(), "depends on the thread's namespaces"))
	}
}
