package vet

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/analysis"
)

// checker checks one package.
type checker struct {
	pass  *analysis.Pass
	skip  []string
	files []*file

	units  []*unit
	byFunc map[*types.Func]*unit
	byLit  map[*ast.FuncLit]*unit
	held   map[*types.Var]ast.Expr // function variables, each with the only function it holds

	assigned            map[*ast.Ident]bool
	goCalls, deferCalls map[*ast.CallExpr]bool
	rangesOver          map[ast.Expr]bool // channels that a range statement receives from

	readings  map[*ast.CallExpr]reading // calls that read the state of a thread
	originals map[types.Object]kindSet  // variables and fields that hold what was read

	mortal      map[types.Object]bool // variables and fields with a command that has a parent death signal
	makesMortal map[*unit]bool        // functions that return such a command

	wrappers  map[*unit]bool    // functions that only lock
	effects   map[*unit]effect  // functions that leave the calling goroutine locked, or unlocked
	summaries map[*unit]summary // what functions do to the state of the thread
	endless   map[*unit]bool    // functions that never return
	initLocks bool              // an init function locks, so main starts locked
}

func check(pass *analysis.Pass, skip []string) *Result {
	c := &checker{
		pass: pass, skip: skip,
		byFunc: map[*types.Func]*unit{}, byLit: map[*ast.FuncLit]*unit{}, held: map[*types.Var]ast.Expr{},
		assigned: map[*ast.Ident]bool{}, goCalls: map[*ast.CallExpr]bool{}, deferCalls: map[*ast.CallExpr]bool{},
		rangesOver: map[ast.Expr]bool{},
		readings:   map[*ast.CallExpr]reading{}, originals: map[types.Object]kindSet{},
		mortal: map[types.Object]bool{}, makesMortal: map[*unit]bool{},
		wrappers: map[*unit]bool{}, effects: map[*unit]effect{}, summaries: map[*unit]summary{},
		endless: map[*unit]bool{},
	}
	for _, f := range pass.Files {
		c.files = append(c.files, c.newFile(f))
	}
	c.checkIgnores()
	result := &Result{Locks: c.locks()}
	if !c.concerned() {
		return result
	}
	c.collect()
	c.link()
	c.noteDeathSignals()
	c.settle()
	for _, u := range c.units {
		if u.file.generated {
			continue
		}
		c.checkLocks(u)
		c.checkUnlocks(u)
		c.checkState(u)
		c.checkKept(u)
		c.inspectBody(u.body, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				c.checkHelper(call)
			}
			return true
		})
		c.checkHandlers(u)
	}
	return result
}

// locks returns the calls of LockOSThread by its name.
func (c *checker) locks() (at []token.Pos) {
	for _, f := range c.files {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && calleeName(c.pass.TypesInfo, call) == "runtime.LockOSThread" {
				at = append(at, call.Pos())
			}
			return true
		})
	}
	return at
}

// concerned reports whether the package locks, sets thread state or a parent death signal. Most
// packages do not, and are not checked further.
func (c *checker) concerned() bool {
	for _, f := range c.files {
		for _, d := range f.syntax.Decls {
			found := false
			ast.Inspect(d, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					found = found || c.setter(n).what != ""
				case *ast.Ident:
					found = found || c.isDeathSignal(n)
					if f, ok := c.pass.TypesInfo.Uses[n].(*types.Func); ok {
						found = found || f.FullName() == "runtime.LockOSThread" || f.FullName() == "runtime.UnlockOSThread"
					}
				}
				return true
			})
			if found {
				return true
			}
		}
	}
	return false
}

// settle follows the paths of all units until their effects on the locks of their callers are
// known.
func (c *checker) settle() {
	for _, u := range c.units {
		c.wrappers[u] = c.isWrapper(u)
	}
	const rounds = 6 // chains of functions that lock for their callers are shorter
	for range rounds {
		changed := false
		for _, u := range c.units {
			c.trace(u)
			if now := u.effect(); now != c.effects[u] {
				c.effects[u], changed = now, true
			}
			if now := u.summary(); now != c.summaries[u] {
				c.summaries[u], changed = now, true
			}
			if now := u.flow.graph.NoReturn(); now != c.endless[u] {
				c.endless[u], changed = now, true
			}
			if u.isInit() && u.effect() == locks && !c.initLocks {
				c.initLocks, changed = true, true
			}
		}
		if !changed {
			return
		}
	}
}

// effect returns the effect of a call of the unit on the caller's lock.
func (u *unit) effect() effect {
	for _, x := range u.flow.exits {
		if x.state.leaks() || x.state.lent {
			return locks
		}
	}
	for _, x := range u.flow.exits {
		if x.state.overUnlocks() {
			return unlocks
		}
	}
	for _, p := range u.flow.points {
		if p.kind == unlocking && p.before.surelyUnlocked() {
			return unlocks
		}
	}
	return noEffect
}

// isWrapper reports whether the unit's only statement is a lock. Its calls are checked like those
// of LockOSThread. The wrapper needs a comment with the reason.
func (c *checker) isWrapper(u *unit) bool {
	if u.isLiteral() || len(u.body.List) != 1 {
		return false
	}
	s, ok := u.body.List[0].(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := s.X.(*ast.CallExpr)
	return ok && c.direct(call.Fun) == locks && !u.inMain()
}

// report reports a diagnostic of a check unless the check is skipped or the diagnostic ignored.
func (c *checker) report(check Check, u *unit, pos, end token.Pos, message string, more ...func(*analysis.Diagnostic)) {
	if slices.Contains(c.skip, check.Name) || c.ignored(u, pos) {
		return
	}
	d := analysis.Diagnostic{
		Pos: pos, End: end, Category: check.Name,
		Message: fmt.Sprintf("%s; see: pinwatch explain %s", message, check.Name),
	}
	for _, add := range more {
		add(&d)
	}
	c.pass.Report(d)
}

// related returns an option of report that adds a second place to a diagnostic.
func related(pos token.Pos, message string) func(*analysis.Diagnostic) {
	return func(d *analysis.Diagnostic) {
		d.Related = append(d.Related, analysis.RelatedInformation{Pos: pos, Message: message})
	}
}

// line returns the line of pos in the source file.
func (c *checker) line(pos token.Pos) int { return c.pass.Fset.Position(pos).Line }
