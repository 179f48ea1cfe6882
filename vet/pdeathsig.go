package vet

import (
	"fmt"
	"go/ast"
	"go/types"
)

// The kernel sends the parent death signal when the thread that started the child ends
// (kernel/exit.c: forget_original_parent), not when the process does. A thread ends with a goroutine
// that is locked to it. Only a lock for the child's life keeps other goroutines off the thread.

// starts are the functions that start a child, with the index of the argument that may hold a
// syscall.SysProcAttr, -1 for the receiver, and whether they also wait for its end.
var starts = map[string]struct {
	attr  int
	waits bool
}{
	"os/exec.Cmd.Start":          {-1, false},
	"os/exec.Cmd.Run":            {-1, true},
	"os/exec.Cmd.Output":         {-1, true},
	"os/exec.Cmd.CombinedOutput": {-1, true},
	"os.StartProcess":            {2, false},
	"syscall.StartProcess":       {2, false},
	"syscall.ForkExec":           {2, false},
}

// isDeathSignal reports whether an expression is the field Pdeathsig on Linux. On FreeBSD the signal
// follows the process.
func (c *checker) isDeathSignal(e ast.Expr) bool {
	v, ok := c.object(e).(*types.Var)
	return ok && v.IsField() && v.Name() == "Pdeathsig" && v.Pkg().Path() == "syscall" && isLinux(v.Pkg())
}

// hasDeathSignal reports whether an expression makes a SysProcAttr with a parent death signal, or
// mentions a variable that holds one.
func (c *checker) hasDeathSignal(e ast.Expr) (found bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.KeyValueExpr:
			if c.isDeathSignal(n.Key) && !c.isConst(n.Value, 0) {
				found = true
			}
		case *ast.CallExpr:
			if u := c.calleeUnit(n); u != nil {
				found = found || c.makesMortal[u]
			}
		case *ast.Ident:
			found = found || c.mortal[c.pass.TypesInfo.Uses[n]]
		}
		return !found
	})
	return found
}

// attrHolder returns the variable or field that holds, directly or in its fields, the SysProcAttr of
// a chain of selectors: cmd of cmd.SysProcAttr.Pdeathsig, and the field of p.cmd.SysProcAttr.
func (c *checker) attrHolder(e ast.Expr) types.Object {
	for {
		sel, ok := ast.Unparen(e).(*ast.SelectorExpr)
		if !ok {
			return c.holder(e)
		}
		t := c.pass.TypesInfo.TypeOf(sel.X)
		if t == nil {
			return nil
		}
		if p, ok := t.Underlying().(*types.Pointer); ok {
			t = p.Elem()
		}
		switch t.String() {
		case "os/exec.Cmd", "os.ProcAttr", "syscall.ProcAttr", "syscall.SysProcAttr":
			e = sel.X
		default:
			return c.holder(e)
		}
	}
}

// noteDeathSignals finds the variables with a command, or its attributes, that has a parent death
// signal.
func (c *checker) noteDeathSignals() {
	for before := -1; before != len(c.mortal)+len(c.makesMortal); {
		before = len(c.mortal) + len(c.makesMortal)
		for _, u := range c.units {
			c.inspectBody(u.body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.AssignStmt:
					for i, l := range n.Lhs {
						r := n.Rhs[min(i, len(n.Rhs)-1)]
						if len(n.Lhs) != len(n.Rhs) && i > 0 {
							break
						}
						if c.isDeathSignal(l) && !c.isConst(r, 0) || c.carries(l) && c.hasDeathSignal(r) {
							if obj := c.attrHolder(l); obj != nil {
								c.mortal[obj] = true
							}
						}
					}
				case *ast.KeyValueExpr: // a field of a new struct
					if key, ok := n.Key.(*ast.Ident); ok && c.carries(n.Value) && c.hasDeathSignal(n.Value) {
						if v, ok := c.pass.TypesInfo.Uses[key].(*types.Var); ok && v.IsField() && v.Pkg() == c.pass.Pkg {
							c.mortal[v] = true
						}
					}
				case *ast.ReturnStmt:
					for _, r := range n.Results {
						if c.carries(r) && c.hasDeathSignal(r) {
							c.makesMortal[u] = true
						}
					}
				case *ast.CallExpr:
					c.passDeathSignals(n)
				}
				return true
			})
		}
	}
}

// passDeathSignals follows commands into parameters, and out of functions that set up the command
// of their caller.
func (c *checker) passDeathSignals(call *ast.CallExpr) {
	u := c.calleeUnit(call)
	if u == nil {
		return
	}
	i := 0
	for _, field := range u.typ.Params.List {
		for _, name := range field.Names {
			p := c.pass.TypesInfo.Defs[name]
			if p != nil && i < len(call.Args) && c.carries(call.Args[i]) {
				if c.hasDeathSignal(call.Args[i]) {
					c.mortal[p] = true
				} else if obj := c.attrHolder(call.Args[i]); obj != nil && c.setsUp(u, p) {
					c.mortal[obj] = true
				}
			}
			i++
		}
	}
}

// setsUp reports whether a unit gives the command in its parameter a parent death signal.
func (c *checker) setsUp(u *unit, param types.Object) (found bool) {
	c.inspectBody(u.body, func(n ast.Node) bool {
		if s, ok := n.(*ast.AssignStmt); ok && len(s.Lhs) == len(s.Rhs) {
			for i, l := range s.Lhs {
				if c.attrHolder(l) == param && (c.isDeathSignal(l) || c.hasDeathSignal(s.Rhs[i])) {
					found = true
				}
			}
		}
		return true
	})
	return found
}

// carries reports whether an expression's type is a command or its attributes.
func (c *checker) carries(e ast.Expr) bool {
	t := c.pass.TypesInfo.TypeOf(e)
	if t == nil {
		return false
	}
	if p, ok := t.Underlying().(*types.Pointer); ok {
		t = p.Elem()
	}
	switch t.String() {
	case "os/exec.Cmd", "os.ProcAttr", "syscall.ProcAttr", "syscall.SysProcAttr":
		return true
	}
	return false
}

// startsMortal reports whether a call starts a child with a parent death signal.
func (c *checker) startsMortal(call *ast.CallExpr) bool {
	s, ok := starts[calleeName(c.pass.TypesInfo, call)]
	if !ok {
		return false
	}
	if s.attr >= 0 {
		return s.attr < len(call.Args) && c.hasDeathSignal(call.Args[s.attr])
	}
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	return ok && c.hasDeathSignal(sel.X)
}

// checkStarting reports a child with a parent death signal that may outlive the lock under which it
// is started.
func (c *checker) checkStarting(u *unit, p point) {
	if u.test || u.isInit() { // the runtime locks the main goroutine to the main thread until main
		return
	}
	what := method(callee(c.pass.TypesInfo, p.call))
	const sent = "the kernel sends that signal when the thread that started the child ends, not when the process does"
	if p.before.surelyUnlocked() {
		if c.entered(u, map[*unit]bool{}) == nil && (c.reachedLocked(u, map[*unit]bool{}) || c.commented(u, aboutThreads)) {
			return
		}
		c.report(checkDeath, u, p.pos, p.call.End(),
			fmt.Sprintf("%s starts a child with Pdeathsig, and the goroutine is not locked to its thread: %s, "+
				"and another goroutine may end the thread; lock until the child has ended", what, sent))
		return
	}
	if starts[calleeName(c.pass.TypesInfo, p.call)].waits || p.before.open == 0 || c.waitsForChild(u) {
		return
	}
	switch {
	case u.flow.has(unlocking) || u.flow.has(deferUnlock):
		c.report(checkDeath, u, p.pos, p.call.End(),
			fmt.Sprintf("%s starts a child with Pdeathsig, and %s unlocks the thread without waiting for the child: %s, "+
				"and another goroutine may then end the thread; stay locked until the child has ended", what, u.name(), sent))
	case len(u.flow.exits) > 0 && c.endsGoroutine(u, map[*unit]bool{}):
		c.report(checkDeath, u, p.pos, p.call.End(),
			fmt.Sprintf("%s starts a child with Pdeathsig, and the goroutine ends locked without waiting for the child: "+
				"its thread ends too, and the child gets the signal; wait for the child here", what))
	}
}

// waitsForChild reports whether a unit waits for a process.
func (c *checker) waitsForChild(u *unit) (found bool) {
	c.inspectBody(u.body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			switch calleeName(c.pass.TypesInfo, call) {
			case "os/exec.Cmd.Wait", "os.Process.Wait",
				"syscall.Wait4", "golang.org/x/sys/unix.Wait4", "golang.org/x/sys/unix.Waitid":
				found = true
			}
		}
		return !found
	})
	return found
}

// endsGoroutine reports whether the goroutine ends after some call of the unit, or with it.
func (c *checker) endsGoroutine(u *unit, seen map[*unit]bool) bool {
	if seen[u] {
		return false
	}
	seen[u] = true
	if u.entry == started {
		return true
	}
	for _, use := range u.uses {
		if use.asGo || !c.waitsForChild(use.by) && !use.by.inMain() && c.endsGoroutine(use.by, seen) {
			return true
		}
	}
	return false
}
