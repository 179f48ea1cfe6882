package vet

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// checkLocks checks the locks in a unit itself.
func (c *checker) checkLocks(u *unit) {
	for _, p := range u.flow.points {
		if p.kind != locking || p.site < 0 {
			continue
		}
		c.checkCommented(u, p)
		if c.checkRepeated(u, p) {
			continue
		}
		c.checkReleased(u, p)
		c.checkWaits(u, p)
	}
}

func (c *checker) checkCommented(u *unit, p point) {
	// The doc of a wrapper explains its calls.
	if u.test || c.justified(u, p.pos) || p.callee != nil || c.wrappers[u] && u.decl.Doc != nil {
		return
	}
	c.report(checkComment, u, p.pos, p.call.End(),
		"LockOSThread without a comment that gives the reason to stay on one thread")
}

// checkRepeated reports a lock that is taken while the same function holds one.
func (c *checker) checkRepeated(u *unit, p point) bool {
	if p.before.open == 0 || p.before.pairs&^unlockedPairs == 0 {
		return false
	}
	if p.before.open&(1<<p.site) != 0 {
		if c.unlocksInLoop(u, p) {
			return true
		}
		message := "LockOSThread in a loop that does not unlock in each iteration: " +
			"the locks add up and are never all released"
		if p.before.hasDeferred() {
			message = "LockOSThread in a loop, with an unlock that is deferred to the function's end: " +
				"the goroutine stays locked between iterations; lock once, before the loop"
		}
		c.report(checkLoop, u, p.pos, p.call.End(), message)
		return true
	}
	var first token.Pos
	for _, site := range u.flow.sites {
		if p.before.open&(1<<site.site) != 0 {
			first = site.pos
			break
		}
	}
	c.report(checkNested, u, p.pos, p.call.End(),
		fmt.Sprintf("LockOSThread while %s holds the lock since line %d: each lock needs an unlock", u.name(), c.line(first)),
		related(first, "locked here"))
	return false
}

// unlocksInLoop reports whether a loop without the lock unlocks, possibly as often.
func (c *checker) unlocksInLoop(u *unit, p point) bool {
	found := false
	ast.Inspect(u.body, func(n ast.Node) bool {
		switch n.(type) {
		case *ast.ForStmt, *ast.RangeStmt:
			if n.Pos() <= p.pos && p.pos < n.End() {
				return true // the loop with the lock
			}
			for _, q := range u.flow.points {
				found = found || q.kind == unlocking && n.Pos() <= q.pos && q.pos < n.End()
			}
		}
		return true
	})
	return found
}

// checkReleased reports returns that leave the goroutine locked.
func (c *checker) checkReleased(u *unit, p point) {
	if u.inMain() || c.wrappers[u] {
		return
	}
	var leaks []exit
	for _, x := range u.flow.exits {
		if x.state.open&(1<<p.site) != 0 && x.state.leaks() {
			leaks = append(leaks, x)
		}
	}
	if len(leaks) == 0 {
		c.checkDeferred(u, p)
		return
	}
	if u.test || c.commented(u, aboutUnlock) || aboutCaller.MatchString(c.commentAbove(u)) ||
		c.onlyMainCalls(u, map[*unit]bool{}) {
		return
	}
	if by := c.releasedElsewhere(u); by != "" {
		c.report(checkElsewhere, u, p.pos, p.call.End(),
			fmt.Sprintf("%s leaves its goroutine locked to the thread, and %s unlocks it: "+
				"keep both in one function, or name the function that unlocks in a comment here", u.name(), by))
		return
	}
	if !u.flow.has(unlocking) && !u.flow.has(deferUnlock) {
		c.reportNoUnlock(u, p)
		return
	}
	var where []string
	more := make([]func(*analysis.Diagnostic), 0, len(leaks))
	for _, x := range leaks {
		where = append(where, fmt.Sprint(c.line(x.pos)))
		more = append(more, related(x.pos, "still locked here"))
	}
	c.report(checkPaths, u, p.pos, p.call.End(),
		fmt.Sprintf("%s is still locked to the thread where it returns in line %s: "+
			"defer the unlock, or give the reason in a comment", u.name(), strings.Join(where, ", ")), more...)
}

// reportNoUnlock reports a lock without an unlock, with a fix where one is safe.
func (c *checker) reportNoUnlock(u *unit, p point) {
	consequence := "the calling goroutine stays locked to the thread"
	if c.isGoroutine(u) {
		consequence = "the thread is destroyed when the goroutine ends, and a new one is made for the next"
	}
	advice := "defer the unlock, or give the reason in a comment"
	more := c.deferFix(u, p)
	wait := c.waitIn(u, false, map[*unit]bool{})
	switch {
	case c.changesThread(u, map[*unit]bool{}):
		advice = "put the state of the thread back and defer the unlock, or state in a comment that the thread has to end"
	case wait.IsValid():
		consequence += fmt.Sprintf(", and the thread is parked while line %d waits", c.line(wait))
		advice = "a deferred unlock does not end that: unlock before the wait, or give the reason in a comment"
		more = related(wait, "waits here")
	}
	c.report(checkUnlock, u, p.pos, p.call.End(),
		fmt.Sprintf("LockOSThread without UnlockOSThread in %s: %s; %s", u.name(), consequence, advice), more)
}

// has reports whether a unit has an action of the kind.
func (f *flow) has(kind actionKind) bool {
	for _, p := range f.points {
		if p.kind == kind {
			return true
		}
	}
	return false
}

// onlyMainCalls reports whether only the main goroutine runs the unit. It may stay locked (E-2).
func (c *checker) onlyMainCalls(u *unit, seen map[*unit]bool) bool {
	if u.inMain() || seen[u] {
		return true
	}
	seen[u] = true
	if len(u.uses) == 0 || u.isExported() || u.entry != declared {
		return false
	}
	for _, use := range u.uses {
		if use.asGo || !c.onlyMainCalls(use.by, seen) {
			return false
		}
	}
	return true
}

// isGoroutine reports whether the unit is only used as the function of a goroutine.
func (c *checker) isGoroutine(u *unit) bool {
	if u.entry == started {
		return true
	}
	for _, use := range u.uses {
		if !use.asGo {
			return false
		}
	}
	return len(u.uses) > 0 && !u.isExported()
}

// releasedElsewhere returns the name of a function that unlocks for the unit, or "" if there is
// none in the package.
func (c *checker) releasedElsewhere(u *unit) string {
	for _, v := range c.units {
		if v.parent == u && v.entry != started && v.entry != deferred && c.unlocksSomewhere(v) {
			return "a function literal that it returns or passes on"
		}
	}
	handsOut := false
	c.inspectBody(u.body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if c.direct(n.Fun) == unlocks {
				return false
			}
		case ast.Expr:
			handsOut = handsOut || c.direct(n) == unlocks
		}
		return true
	})
	if handsOut {
		return "the receiver of the unlock function"
	}
	if u.flow.has(unlocking) || u.flow.has(deferUnlock) {
		return ""
	}
	for _, v := range c.units {
		if v != u && !v.isLiteral() && !v.test && c.effects[v] == unlocks {
			return v.name()
		}
	}
	for w := u.parent; w != nil; w = w.parent { // a literal of the same function that is called by its variable
		for _, v := range c.units {
			if v.parent == w && v.entry == named && c.unlocksSomewhere(v) {
				return "a function literal next to it"
			}
		}
	}
	return ""
}

// checkDeferred reports an unlock that ends its function without being deferred. An unlock before
// further work is meant to be early.
func (c *checker) checkDeferred(u *unit, p point) {
	if u.test || u.inMain() || c.commented(u, aboutUnlock) {
		return
	}
	found := false
	for i, q := range u.flow.points {
		if q.kind != unlocking || q.before.open&(1<<p.site) == 0 {
			continue
		}
		if q.callee != nil || !c.endsItsPath(u, q) || i == 0 || u.flow.points[i-1].action == p.action {
			return
		}
		found = true
	}
	if found {
		c.report(checkDefer, u, p.pos, p.call.End(),
			fmt.Sprintf("UnlockOSThread at the end of %s is not deferred: after a recovered panic the goroutine stays locked",
				u.name()))
	}
}

// endsItsPath reports whether only a return without calls follows.
func (c *checker) endsItsPath(u *unit, q point) bool {
	for _, b := range u.flow.graph.Blocks {
		for i, n := range b.Nodes {
			if n.Pos() > q.pos || q.pos >= n.End() {
				continue
			}
			if len(b.Succs) > 0 || i+2 < len(b.Nodes) {
				return false
			}
			calls := false
			for _, after := range b.Nodes[i+1:] {
				ret, ok := after.(*ast.ReturnStmt)
				if !ok {
					return false
				}
				for _, result := range ret.Results {
					ast.Inspect(result, func(n ast.Node) bool {
						_, call := n.(*ast.CallExpr)
						calls = calls || call
						return true
					})
				}
			}
			return !calls
		}
	}
	return false
}

// checkWaits reports exported functions that pin the calling goroutine while it waits or calls
// back. Functions that only make a few calls on one thread are accepted, and functions whose doc
// mentions the thread.
func (c *checker) checkWaits(u *unit, p point) {
	if !u.isExported() || u.test || c.handlerKind(u) != "" || aboutThreads.MatchString(prose(u.decl.Doc)) {
		return
	}
	for _, q := range u.flow.points {
		if q.before.open&(1<<p.site) == 0 {
			continue
		}
		what := ""
		switch q.kind {
		case waiting:
			what = "waits"
		case callingBack:
			what = "calls back"
		default:
			continue
		}
		c.report(checkCaller, u, p.pos, p.call.End(),
			fmt.Sprintf("%s %s (line %d) with the calling goroutine locked to the thread: "+
				"lock a separate goroutine, or document it", u.name(), what, c.line(q.pos)),
			related(q.pos, what+" here"))
		return
	}
}

// checkUnlocks reports unlocks in functions that did not lock.
func (c *checker) checkUnlocks(u *unit) {
	for _, p := range u.flow.points {
		if p.kind != unlocking || c.direct(p.call.Fun) != unlocks || !p.before.surelyUnlocked() {
			continue
		}
		if u.entry == started && !c.commented(u, aboutUnlock) {
			c.report(checkElsewhere, u, p.pos, p.call.End(),
				"UnlockOSThread on a goroutine that did not lock: it cannot release the lock of another goroutine")
			continue
		}
		if u.isLiteral() || u.inMain() || u.test || c.packageLocks() || len(u.body.List) == 1 && u.decl.Doc != nil {
			continue // the function that locks is reported, or this is its counterpart
		}
		if !aboutCaller.MatchString(prose(u.decl.Doc)) {
			c.report(checkElsewhere, u, p.pos, p.call.End(),
				fmt.Sprintf("UnlockOSThread in %s, which has not locked: "+
					"keep both in one function, or name the function that locks in a comment here", u.name()))
		}
	}
}

// packageLocks reports whether some function leaves its caller locked.
func (c *checker) packageLocks() bool {
	for _, effect := range c.effects {
		if effect == locks {
			return true
		}
	}
	return false
}
