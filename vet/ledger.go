package vet

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/cfg"
)

// standing is what is possible for one kind of state at a point, over all paths to it. The lower
// half is for paths without a deferred call that puts the state back, the upper half for others.
type standing uint8

const (
	untouched standing = 1 << iota
	changed
	restored
	half = iota // bits
	low  = 1<<half - 1
)

// each applies f to each possibility, in both halves.
func (s standing) each(f func(standing) standing) (out standing) {
	for one := untouched; one <= restored; one <<= 1 {
		if s&one != 0 {
			out |= f(one)
		}
		if s&(one<<half) != 0 {
			out |= f(one) << half
		}
	}
	return out
}

// ledger holds the standing of each kind of state.
type ledger [kinds]standing

func newLedger() (l ledger) {
	for k := range l {
		l[k] = untouched
	}
	return l
}

func (l ledger) join(m ledger) ledger {
	for k := range l {
		l[k] |= m[k]
	}
	return l
}

// which returns the kinds with one of these possibilities.
func (l ledger) which(any standing) (set kindSet) {
	for k, s := range l {
		if s&any != 0 {
			set |= 1 << k
		}
	}
	return set
}

// next returns the ledger after an action, or after one that has failed. The first change of a kind
// counts as a change, the next as one that puts it back, unless it can only make something new.
func (l ledger) next(e action, failed bool) ledger {
	sets, restores := e.sets, e.restores
	if sets.has(someNamespace) && l.which(changed|changed<<half)&namespaces != 0 {
		sets, restores = sets&^(1<<someNamespace), restores|1<<someNamespace
	}
	if restores.has(someNamespace) {
		restores |= namespaces
	}
	if !e.makes && sets&namespaces != 0 || restores&namespaces != 0 {
		restores |= 1 << someNamespace &^ sets
	}
	for k := range l {
		switch {
		case sets.has(kind(k)):
			l[k] = l[k].each(func(one standing) standing {
				switch {
				case failed && (e.makes || one == untouched):
					return one
				case e.makes || one == untouched:
					return changed
				}
				return restored
			})
		case !restores.has(kind(k)):
		case e.kind == deferSetting, e.kind == deferRestoring:
			l[k] = (l[k] | l[k]>>half) & low << half
		default:
			l[k] = l[k].each(func(one standing) standing {
				if one == changed {
					return restored
				}
				return one
			})
		}
	}
	return l
}

// summary is the effect of a call of a unit on the thread's state.
type summary struct{ sets, restores kindSet }

// summary returns the effect of a unit on the state of its caller's thread. A unit that locks is
// checked itself.
func (u *unit) summary() (s summary) {
	if len(u.flow.sites) > 0 {
		return s
	}
	var putBack kindSet
	for _, x := range u.flow.exits {
		s.sets |= x.state.ledger.which(changed)
		putBack |= x.state.ledger.which(restored | changed<<half | restored<<half)
	}
	s.sets &^= putBack // it keeps the change where it fails, and its caller may know
	for _, p := range u.flow.points {
		s.restores |= p.restores
	}
	s.restores &^= s.sets
	return s
}

// restoresIn returns what a unit that runs at the end of another may put back.
func (c *checker) restoresIn(u *unit, seen map[*unit]bool) (set kindSet) {
	if seen[u] {
		return 0
	}
	seen[u] = true
	c.inspectBody(u.body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		s := c.setter(call)
		set |= s.kinds
		if v := c.calleeUnit(call); v != nil {
			set |= c.restoresIn(v, seen)
		} else if s.what == "" && c.direct(call.Fun) == noEffect {
			set |= c.putsBack(call, u)
		}
		return true
	})
	if set&namespaces != 0 {
		set |= 1 << someNamespace
	}
	if set.has(someNamespace) {
		set |= namespaces
	}
	return set
}

// failing returns the call that has failed where control leaves a block by its successor, and the
// successor's index. It returns nil if the block does not end in a comparison of the call's error.
func (c *checker) failing(b *cfg.Block) (call *ast.CallExpr, successor int) {
	if len(b.Succs) != 2 || len(b.Nodes) == 0 {
		return nil, 0
	}
	last := len(b.Nodes) - 1
	e, ok := b.Nodes[last].(ast.Expr)
	if !ok {
		return nil, 0
	}
	cond, ok := ast.Unparen(e).(*ast.BinaryExpr)
	if !ok || cond.Op != token.NEQ && cond.Op != token.EQL ||
		!c.pass.TypesInfo.Types[cond.Y].IsNil() && !c.isConst(cond.Y, 0) {
		return nil, 0
	}
	if cond.Op == token.EQL {
		successor = 1
	}
	if call, ok := ast.Unparen(cond.X).(*ast.CallExpr); ok {
		return call, successor
	}
	obj := c.object(cond.X)
	if obj == nil {
		return nil, 0
	}
	for i := last - 1; i >= 0; i-- {
		if rhs, ok := c.assigns(b.Nodes[i], obj); ok {
			call, _ := ast.Unparen(rhs).(*ast.CallExpr)
			return call, successor
		}
	}
	return nil, 0
}

// assigns returns the expression whose value, or last value, a node assigns to obj.
func (c *checker) assigns(n ast.Node, obj types.Object) (ast.Expr, bool) {
	var lhs []ast.Expr
	var rhs []ast.Expr
	switch n := n.(type) {
	case *ast.AssignStmt:
		lhs, rhs = n.Lhs, n.Rhs
	case *ast.ValueSpec:
		for _, name := range n.Names {
			lhs = append(lhs, name)
		}
		rhs = n.Values
	}
	for i, l := range lhs {
		if id, ok := ast.Unparen(l).(*ast.Ident); ok && c.pass.TypesInfo.ObjectOf(id) == obj && len(rhs) > 0 {
			return rhs[min(i, len(rhs)-1)], true
		}
	}
	return nil, false
}
