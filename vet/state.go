package vet

import (
	"fmt"
	"go/ast"
	"go/token"
)

// checkState looks at what a unit does to the state of its thread, and who relies on it.
func (c *checker) checkState(u *unit) {
	for i, p := range u.flow.points {
		switch p.kind {
		case setting:
			c.checkSetting(u, p)
		case deferSetting:
			c.checkDeferredSetting(u, i)
		case going:
			c.checkGoing(u, p)
		}
	}
}

func (c *checker) checkSetting(u *unit, p point) {
	if !p.before.surelyUnlocked() {
		return
	}
	switch from, is := c.entered(u, map[*unit]bool{}); {
	case !is:
		c.checkSetAndPutBack(u, p)
	case from.test && !u.test: // a test's mistake, not this function's
	case p.before.released:
		c.report(checkCleanup, u, p.pos, p.call.End(),
			p.what+" after UnlockOSThread: it may change another thread than the one that was locked, which keeps its state")
	case c.locksLater(u, p.pos):
		c.report(checkSetup, u, p.pos, p.call.End(),
			p.what+" before LockOSThread: by then the goroutine may be on another thread; lock first")
	default:
		message := p.what + " changes the thread it runs on, and nothing has locked the goroutine to it"
		if from != u {
			message += fmt.Sprintf(" (called from %s)", from.name())
		}
		c.report(checkUnlocked, u, p.pos, p.call.End(), message, related(from.pos(), "entered here, not locked"))
	}
}

// checkSetAndPutBack looks for a function that other packages call and that changes its thread twice, to put back what it changed:
// in between it relies on its thread, and says to nobody that they have to lock.
func (c *checker) checkSetAndPutBack(u *unit, first point) {
	if !u.isExported() || u.test || len(u.flow.sites) > 0 || c.says(u, aboutThreads) {
		return
	}
	for _, use := range u.uses { // a caller that is seen to lock knows
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
				fmt.Sprintf("%s changes the thread that %s runs on until line %d, and nothing here locks the goroutine to it: lock, or say in its doc that its callers have to",
					first.what, u.name(), c.line(p.pos)), related(p.pos, "changed again here"))
			return
		}
	}
}

// locksLater says whether the unit itself locks further down.
func (c *checker) locksLater(u *unit, pos token.Pos) bool {
	for _, site := range u.flow.sites {
		if site.pos > pos {
			return true
		}
	}
	return false
}

// checkDeferredSetting looks for state that is put back after a deferred unlock. What is deferred last runs first.
func (c *checker) checkDeferredSetting(u *unit, i int) {
	p := u.flow.points[i]
	for _, q := range u.flow.points[i+1:] {
		if q.kind == deferUnlock && !p.before.hasDeferred() {
			c.report(checkCleanup, u, p.pos, p.call.End(),
				fmt.Sprintf("deferred before the UnlockOSThread of line %d, %s runs after it, perhaps on another thread: defer the unlock first", c.line(q.pos), p.what),
				related(q.pos, "runs before"))
			return
		}
	}
	if p.before.surelyUnlocked() && !c.locksLater(u, p.pos) {
		if from, is := c.entered(u, map[*unit]bool{}); is {
			c.report(checkUnlocked, u, p.pos, p.call.End(),
				p.what+" changes the thread it runs on, and nothing has locked the goroutine to it", related(from.pos(), "entered here, not locked"))
		}
	}
}

// entered finds a function through which control is seen to come to the start of the unit with the goroutine not locked. What
// only unseen callers reach is not found: they may have locked.
func (c *checker) entered(u *unit, seen map[*unit]bool) (from *unit, is bool) {
	if seen[u] {
		return nil, false
	}
	seen[u] = true
	switch {
	case u.entry == started || c.handlerKind(u) != "" || c.isTest(u):
		return u, true
	case u.isInit(): // the main goroutine, which the runtime locks to the main thread until main
		return nil, false
	case u.inMain():
		return u, !c.initLocks
	case u.entry == inline:
		return c.enteredAt(u.parent, u.use.Pos(), seen)
	case u.entry == deferred:
		if u.parent == nil || u.parent.flow.has(locking) { // in which order, checkDeferredSetting looks at
			return nil, false
		}
		return c.entered(u.parent, seen)
	case u.entry == handed:
		return nil, false
	}
	for _, use := range u.uses {
		if use.asGo {
			return u, true
		}
		if use.deferred && use.by.flow.has(locking) {
			continue
		}
		if from, is := c.enteredAt(use.by, use.call.Pos(), seen); is {
			return from, true
		}
	}
	return nil, false
}

// enteredAt is entered for a call that lies within u.
func (c *checker) enteredAt(u *unit, pos token.Pos, seen map[*unit]bool) (from *unit, is bool) {
	if u == nil {
		return nil, false
	}
	for _, p := range u.flow.points {
		if p.pos == pos && p.kind == calling && !p.before.surelyUnlocked() {
			return nil, false
		}
	}
	if len(u.flow.sites) > 0 && !c.isCallPoint(u, pos) { // where in u is not known
		return nil, false
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

// isTest recognises the functions that package testing runs, each on a goroutine of its own.
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

// checkGoing looks for a goroutine that needs the namespaces its parent has entered. It runs on another thread.
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
	c.inspectOwn(p.callee.body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && needs == nil && c.dependsOnNamespace(call) {
			needs = call
		}
		return true
	})
	if needs != nil {
		c.report(checkGoroutine, u, p.pos, p.call.Fun.Pos(),
			fmt.Sprintf("this goroutine runs on another thread than the one that %s changed: what line %d does happens outside", changed, c.line(needs.Pos())),
			related(needs.Pos(), "depends on the thread's namespaces"))
	}
}
