package vet

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/cfg"
)

// action is a point of a unit that changes the lock or that depends on it.
type action struct {
	kind     actionKind
	call     *ast.CallExpr // nil for waits that are not calls
	pos      token.Pos
	what     string // setter: its name
	callee   *unit  // calls, goStmts: the function of this package, nil if unknown
	site     int    // for locking in the unit itself: its index among these; otherwise -1
	sets     kindSet
	makes    bool    // it sets something new, and never puts back
	restores kindSet // what it puts back
}

type actionKind int

const (
	locking actionKind = iota
	unlocking
	deferUnlock
	setting
	deferSetting
	restoring
	deferRestoring
	reads
	starting
	going
	calling
	waiting
	callingBack
)

// sending is what an action waits for that sends to a channel. The receiver often waits for it.
const sending = "send"

// state holds what is possible at a point of a unit, over all paths to it.
type state struct {
	pairs    uint16 // bit depth*3+deferred, the numbers of locks and deferred unlocks; both saturate at two
	open     uint64 // bit set of the sites whose locks are not released
	pending  uint64 // deferred settings without a deferred unlock before them
	lent     bool   // a called function may have left the goroutine locked
	released bool   // a lock has been released
	ledger   ledger
}

const (
	unlockedPairs = 1<<0 | 1<<1 | 1<<2 // depth 0
	startPairs    = 1 << 0
)

func (s state) surelyUnlocked() bool { return s.pairs&^unlockedPairs == 0 && !s.lent }

// leaks reports whether a function that returns in this state may leave its goroutine locked.
func (s state) leaks() bool {
	const more = 1<<3 | 1<<6 | 1<<7 // one lock, none deferred; two locks, none or one
	return s.pairs&more != 0
}

// overUnlocks reports whether the deferred unlocks of a function that returns in this state may
// exceed its locks.
func (s state) overUnlocks() bool {
	const more = 1<<1 | 1<<2 | 1<<5 // no lock, one or two deferred; one lock, two deferred
	return s.pairs&more != 0
}

// hasDeferred reports whether an unlock is deferred on some path.
func (s state) hasDeferred() bool { return s.pairs&(2|4|2<<3|4<<3|2<<6|4<<6) != 0 }

func (s state) join(t state) state {
	return state{
		s.pairs | t.pairs, s.open | t.open, s.pending | t.pending, s.lent || t.lent, s.released || t.released,
		s.ledger.join(t.ledger),
	}
}

// each applies f to every pair of depth and deferred.
func (s state) each(f func(depth, deferred int) (int, int)) uint16 {
	var out uint16
	for i := range 9 {
		if s.pairs&(1<<i) != 0 {
			depth, deferred := f(i/3, i%3)
			out |= 1 << (min(depth, 2)*3 + min(deferred, 2))
		}
	}
	return out
}

// next returns the state after an action. A setter that failed has changed nothing.
func (s state) next(e action, failed bool) state {
	s.ledger = s.ledger.next(e, failed)
	switch e.kind {
	case locking:
		if e.site < 0 {
			s.lent = true
			break
		}
		s.pairs = s.each(func(depth, deferred int) (int, int) { return depth + 1, deferred })
		s.open |= 1 << e.site
	case unlocking:
		s.released = s.released || !s.surelyUnlocked()
		if s.open == 0 {
			s.lent = false
		}
		s.pairs = s.each(func(depth, deferred int) (int, int) { return max(depth-1, 0), deferred })
		if s.pairs&^unlockedPairs == 0 {
			s.open = 0
			s.ledger = newLedger()
		}
	case deferUnlock:
		s.pairs = s.each(func(depth, deferred int) (int, int) { return depth, deferred + 1 })
	}
	return s
}

// flow holds the actions and exits of one unit, with the states on all paths.
type flow struct {
	points []point  // every action, in source order per block
	sites  []action // locks in the unit itself
	exits  []exit
	graph  *cfg.CFG
}

// point is an action and the state before it.
type point struct {
	action
	before state
}

// exit is a return and the state at it.
type exit struct {
	pos   token.Pos
	state state
}

// trace follows the paths of a unit.
func (c *checker) trace(u *unit) {
	g := cfg.New(u.body, c.mayReturn)
	f := flow{graph: g}
	actions := make([][]action, len(g.Blocks))
	for _, b := range g.Blocks {
		for _, n := range b.Nodes {
			for _, e := range c.actionsOf(n, u) {
				if e.kind == locking && e.site == 0 {
					e.site = min(len(f.sites), 63)
					f.sites = append(f.sites, e)
				}
				actions[b.Index] = append(actions[b.Index], e)
			}
		}
	}
	in := make([]state, len(g.Blocks))
	in[0].pairs, in[0].ledger = startPairs, newLedger()
	if u.isMain() && c.initLocks {
		in[0].pairs = 1 << 3
	}
	work := []*cfg.Block{g.Blocks[0]}
	for len(work) > 0 {
		b := work[len(work)-1]
		work = work[:len(work)-1]
		failing, onFailure := c.failing(b)
		for i, next := range b.Succs {
			s := in[b.Index]
			for _, e := range actions[b.Index] {
				s = s.next(e, failing != nil && i == onFailure && e.in(failing))
			}
			if joined := in[next.Index].join(s); joined != in[next.Index] {
				in[next.Index] = joined
				work = append(work, next)
			}
		}
	}
	for _, b := range g.Blocks {
		if !b.Live {
			continue
		}
		s := in[b.Index]
		for _, e := range actions[b.Index] {
			f.points = append(f.points, point{e, s})
			s = s.next(e, false)
		}
		if ret := b.Return(); ret != nil {
			f.exits = append(f.exits, exit{ret.Return, s})
		}
	}
	u.flow = f
}

// actionsOf lists the actions of one node of the control-flow graph in the order in which they
// happen.
func (c *checker) actionsOf(n ast.Node, u *unit) []action {
	var actions []action
	add := func(e action) { actions = append(actions, e) }
	var visit func(n ast.Node)
	children := func(n ast.Node) {
		ast.Inspect(n, func(m ast.Node) bool {
			if m == n {
				return true
			}
			if m != nil {
				visit(m)
			}
			return false
		})
	}
	visit = func(n ast.Node) {
		switch n := n.(type) {
		case *ast.FuncLit:
			return // a separate unit
		case *ast.DeferStmt:
			for _, arg := range n.Call.Args {
				visit(arg)
			}
			for _, e := range c.deferredActions(n.Call, u) {
				add(e)
			}
		case *ast.GoStmt:
			for _, arg := range n.Call.Args {
				visit(arg)
			}
			add(action{kind: going, call: n.Call, pos: n.Pos(), callee: c.calleeUnit(n.Call), site: -1})
		case *ast.CallExpr:
			children(n)
			for _, e := range c.callActions(n, u) {
				add(e)
			}
		case *ast.UnaryExpr:
			children(n)
			if n.Op == token.ARROW {
				add(action{kind: waiting, pos: n.Pos(), site: -1})
			}
		case *ast.SendStmt:
			children(n)
			add(action{kind: waiting, what: sending, pos: n.Pos(), site: -1})
		default:
			children(n)
			if e, ok := n.(ast.Expr); ok && c.rangesOver[e] {
				add(action{kind: waiting, pos: n.Pos(), site: -1})
			}
		}
	}
	visit(n)
	return actions
}

// callActions returns the actions of a call without those of its arguments.
func (c *checker) callActions(call *ast.CallExpr, u *unit) []action {
	e := action{call: call, pos: call.Pos(), site: -1}
	if effect := c.direct(call.Fun); effect != noEffect {
		e.kind = locking
		if effect == unlocks {
			e.kind = unlocking
		} else {
			e.site = 0 // numbered by trace
		}
		return []action{e}
	}
	if set := c.setter(call); set.what != "" {
		e.kind, e.what, e.makes = setting, set.what, set.makes
		if c.originalIn(call, set.kinds) != nil {
			e.restores = set.kinds
		} else {
			e.sets = set.kinds
		}
		return []action{e}
	}
	if c.isCleanup(call) && len(call.Args) == 1 {
		return c.deferredEffect(call.Args[0], call)
	}
	if c.startsMortal(call) {
		e.kind = starting
		return []action{e}
	}
	if r, ok := c.readings[call]; ok && r.thread {
		e.kind = reads
		return []action{e}
	}
	if startsArgument(c.pass.TypesInfo, call) {
		e.kind, e.callee = going, c.unitOf(call.Args[len(call.Args)-1])
		return []action{e}
	}
	if waits(callee(c.pass.TypesInfo, call)) {
		e.kind = waiting
		return []action{e}
	}
	if callee := c.calleeUnit(call); callee != nil {
		e.kind, e.callee = calling, callee
		e.sets, e.restores = c.summaries[callee].sets, c.summaries[callee].restores|c.synchronizes(call)
		actions := []action{e}
		e.sets, e.restores = 0, 0
		switch c.effects[callee] {
		case locks:
			e.kind = locking
			if c.wrappers[callee] { // counts as LockOSThread
				e.site = 0
			}
			actions = append(actions, e)
		case unlocks:
			e.kind = unlocking
			actions = append(actions, e)
		}
		return actions
	}
	if e.restores = c.putsBack(call, u); e.restores != 0 {
		e.kind = restoring
		return []action{e}
	}
	if v, ok := c.object(call.Fun).(*types.Var); ok && c.isParameter(v, u) {
		e.kind = callingBack
		return []action{e}
	}
	return nil
}

// in reports whether the action is the call, or an argument of it.
func (e action) in(call *ast.CallExpr) bool { return call.Pos() <= e.pos && e.pos < call.End() }

// waits reports whether a function of the standard library waits for another goroutine.
func waits(f *types.Func) bool {
	switch path(f) {
	case "sync":
		return method(f) == "WaitGroup.Wait" || method(f) == "Cond.Wait"
	case "time":
		return method(f) == "Sleep"
	}
	return false
}

// isParameter reports whether v is a parameter of the unit or of an enclosing function.
func (c *checker) isParameter(v *types.Var, u *unit) bool {
	for ; u != nil; u = u.parent {
		if u.typ.Params == nil {
			continue
		}
		for _, field := range u.typ.Params.List {
			for _, name := range field.Names {
				if c.pass.TypesInfo.Defs[name] == v {
					return true
				}
			}
		}
	}
	return false
}
