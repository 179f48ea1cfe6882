package vet

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// ending is a place where a unit unlocks its thread: an unlock, or a return with a deferred one.
type ending struct {
	pos    token.Pos
	ledger ledger
}

// endings returns the places where a unit gives up the lock that it took itself.
func (u *unit) endings() (out []ending) {
	const byDefers = 1<<4 | 1<<5 | 1<<8 // one lock, one or two deferred unlocks; two and two
	for _, p := range u.flow.points {
		if p.releases() {
			out = append(out, ending{p.pos, p.before.ledger})
		}
	}
	if u.inMain() { // the process ends where it returns
		return out
	}
	for _, x := range u.flow.exits {
		if x.state.open != 0 && x.state.pairs&byDefers != 0 && !x.state.leaks() { // on every path
			out = append(out, ending{x.pos, x.state.ledger})
		}
	}
	return out
}

// releases reports whether a point may be the unlock of the only lock of its unit.
func (p point) releases() bool {
	const once = 1<<3 | 1<<4 | 1<<5
	return p.kind == unlocking && p.before.open != 0 && p.before.pairs&once != 0
}

// checkKept reports state of the thread that a unit changes under its own lock and that the thread
// still has when it is unlocked. Other goroutines run on the thread then.
func (c *checker) checkKept(u *unit) {
	endings := u.endings()
	var kept kindSet
	for _, e := range endings {
		kept |= e.ledger.which(changed)
	}
	for _, p := range u.flow.points {
		if now := p.sets & kept; now != 0 && p.before.open != 0 {
			kept &^= now
			if !c.restoredLate(u, now) {
				c.reportKept(u, p, now, endings)
			}
		}
	}
}

// restoredLate reports whether checkSetting reports that the state is put back after the unlock.
func (c *checker) restoredLate(u *unit, set kindSet) bool {
	for _, p := range u.flow.points {
		if p.kind == setting && (p.sets | p.restores).matches(set) && p.before.released && p.before.surelyUnlocked() {
			return c.entered(u, map[*unit]bool{}) != nil
		}
	}
	return false
}

// reportKept reports the endings at which the state that p sets is kept.
func (c *checker) reportKept(u *unit, p point, now kindSet, endings []ending) {
	var lines []string
	var more []func(*analysis.Diagnostic)
	putBack, surely := false, false
	for _, e := range endings {
		here := e.ledger.which(restored | changed<<half | restored<<half)
		putBack = putBack || here&now != 0
		if keeps := e.ledger.which(changed) & now; keeps != 0 {
			surely = surely || keeps&^here != 0
			lines = append(lines, fmt.Sprint(c.line(e.pos)))
			more = append(more, related(e.pos, "still changed here"))
		}
	}
	where := strings.Join(lines, ", ")
	if !putBack {
		c.report(checkCleanup, u, p.pos, p.call.End(),
			fmt.Sprintf("%s changes the %s of the thread, and %s unlocks the thread in line %s without putting it back: "+
				"other goroutines run on it then; restore it before the unlock, or do not unlock, "+
				"and the thread ends with its goroutine",
				c.does(p), now, u.name(), where), more...)
		return
	}
	if !surely && c.sameCondition(u, p, now) {
		return
	}
	c.report(checkCleanup, u, p.pos, p.call.End(),
		fmt.Sprintf("%s changes the %s of the thread, and %s puts it back on some paths only: "+
			"it unlocks a changed thread in line %s, and other goroutines run on it; defer what puts it back",
			c.does(p), now, u.name(), where), more...)
}

// does returns the name of what an action calls.
func (c *checker) does(p point) string {
	if p.kind == calling {
		return p.callee.name()
	}
	return p.what
}

// sameCondition reports whether state is changed in one if statement and put back in another with
// the same condition, or in a loop over what is to be put back, which the paths do not show.
func (c *checker) sameCondition(u *unit, p point, now kindSet) bool {
	guard := condition(u, p.pos)
	for _, q := range u.flow.points {
		if q.pos > p.pos && (q.sets|q.restores)&now != 0 && (guard != "" && condition(u, q.pos) == guard || c.inLoop(u, q)) {
			return true
		}
	}
	return false
}

// condition returns the condition of the innermost if statement whose body contains pos, or "".
func condition(u *unit, pos token.Pos) (text string) {
	ast.Inspect(u.body, func(n ast.Node) bool {
		if s, ok := n.(*ast.IfStmt); ok && s.Body.Pos() <= pos && pos < s.Body.End() {
			text = types.ExprString(s.Cond)
		}
		return true
	})
	return text
}

// helper is a function of another package that runs its argument on a locked thread, with some
// state that it puts back afterwards.
type helper struct {
	arg      int
	restores kindSet
}

var helpers = map[string]helper{
	"github.com/containernetworking/plugins/pkg/ns.NetNS.Do":      {0, 1 << netNamespace},
	"github.com/containernetworking/plugins/pkg/ns.WithNetNSPath": {1, 1 << netNamespace},
	"github.com/containernetworking/cni/pkg/ns.NetNS.Do":          {0, 1 << netNamespace},
	"github.com/containernetworking/cni/pkg/ns.WithNetNSPath":     {1, 1 << netNamespace},
	"github.com/cilium/cilium/pkg/netns.NetNS.Do":                 {0, 1 << netNamespace},
}

// checkHelper reports state that the argument of a helper changes and that the helper does not know
// of. The helper unlocks the thread with it.
func (c *checker) checkHelper(call *ast.CallExpr) {
	h, ok := helpers[calleeName(c.pass.TypesInfo, call)]
	if !ok || h.arg >= len(call.Args) {
		return
	}
	u := c.unitOf(call.Args[h.arg])
	if u == nil || len(u.flow.sites) > 0 {
		return
	}
	var kept kindSet
	for _, x := range u.flow.exits {
		kept |= x.state.ledger.which(changed)
	}
	kept &^= h.restores | 1<<someNamespace
	for _, p := range u.flow.points {
		now := p.sets & kept
		if now == 0 {
			continue
		}
		kept &^= now
		c.report(checkClosure, u, p.pos, p.call.End(),
			fmt.Sprintf("%s changes the %s of the thread, and %s, which runs this function, puts back the %s alone: "+
				"other goroutines run on the changed thread then; restore it before the function returns",
				c.does(p), now, method(callee(c.pass.TypesInfo, call)), h.restores),
			related(call.Pos(), "run by this call"))
	}
}
