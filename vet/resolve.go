package vet

import (
	"go/ast"
	"go/types"
)

// effect is the effect of a call on the lock of the calling goroutine.
type effect int

const (
	noEffect effect = iota
	locks
	unlocks
)

// direct returns the effect of an expression that is runtime.LockOSThread or UnlockOSThread, under
// any name: a dot import, another import name, or a variable that holds nothing else.
func (c *checker) direct(e ast.Expr) effect {
	switch obj := c.object(e).(type) {
	case *types.Func:
		switch obj.FullName() {
		case "runtime.LockOSThread":
			return locks
		case "runtime.UnlockOSThread":
			return unlocks
		}
	case *types.Var:
		if held := c.held[obj]; held != nil {
			if _, variable := c.object(held).(*types.Var); !variable {
				return c.direct(held)
			}
		}
	}
	return noEffect
}

// object returns the object of a name, qualified or not, or nil for other expressions.
func (c *checker) object(e ast.Expr) types.Object {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return c.pass.TypesInfo.Uses[e]
	case *ast.SelectorExpr:
		return c.pass.TypesInfo.Uses[e.Sel]
	case *ast.IndexExpr: // an instance of a generic function
		return c.object(e.X)
	case *ast.IndexListExpr:
		return c.object(e.X)
	}
	return nil
}

// calleeUnit returns the function of this package that a call runs, or nil if it is another one or
// not known.
func (c *checker) calleeUnit(call *ast.CallExpr) *unit { return c.unitOf(call.Fun) }

func (c *checker) unitOf(e ast.Expr) *unit {
	if lit, ok := ast.Unparen(e).(*ast.FuncLit); ok {
		return c.byLit[lit]
	}
	switch obj := c.object(e).(type) {
	case *types.Func:
		return c.byFunc[obj.Origin()]
	case *types.Var:
		switch held := c.held[obj].(type) {
		case *ast.FuncLit:
			return c.byLit[held]
		case *ast.Ident, *ast.SelectorExpr:
			if f, ok := c.object(held).(*types.Func); ok {
				return c.byFunc[f.Origin()]
			}
		}
	}
	return nil
}

// callee returns the function or method of a call by name, or nil for function values.
func callee(info *types.Info, call *ast.CallExpr) *types.Func {
	switch fun := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		f, _ := info.Uses[fun].(*types.Func)
		return f
	case *ast.SelectorExpr:
		f, _ := info.Uses[fun.Sel].(*types.Func)
		return f
	}
	return nil
}

// calleeName returns path.name or path.Type.name of the function or method of a call, or "".
func calleeName(info *types.Info, call *ast.CallExpr) string {
	f := callee(info, call)
	if f == nil {
		return ""
	}
	return path(f) + "." + method(f)
}

// path returns the import path of the package that declares f, or "" for methods of the universe.
func path(f *types.Func) string {
	if f == nil || f.Pkg() == nil {
		return ""
	}
	return f.Pkg().Path()
}

// method returns Type.Method for a method and the name for a function.
func method(f *types.Func) string {
	if t := receiverName(f); t != nil {
		return t.Name() + "." + f.Name()
	}
	return f.Name()
}

// starters run their argument on a new goroutine.
var starters = map[string]bool{
	"sync.WaitGroup.Go":                      true,
	"golang.org/x/sync/errgroup.Group.Go":    true,
	"golang.org/x/sync/errgroup.Group.TryGo": true,
	"time.AfterFunc":                         true,
	"testing.T.Run":                          true,
	"testing.B.Run":                          true,
}

func startsArgument(info *types.Info, call *ast.CallExpr) bool {
	f := callee(info, call)
	return f != nil && starters[path(f)+"."+method(f)]
}

// isCleanup reports whether call is t.Cleanup of package testing, which runs its argument on the
// goroutine of the test at its end.
func (c *checker) isCleanup(call *ast.CallExpr) bool {
	f := callee(c.pass.TypesInfo, call)
	return path(f) == "testing" && f.Name() == "Cleanup"
}

// mayReturn returns false for calls that end the goroutine or the process.
func (c *checker) mayReturn(call *ast.CallExpr) bool {
	if id, ok := ast.Unparen(call.Fun).(*ast.Ident); ok {
		if b, ok := c.pass.TypesInfo.Uses[id].(*types.Builtin); ok {
			return b.Name() != "panic"
		}
	}
	f := callee(c.pass.TypesInfo, call)
	if f == nil {
		return true
	}
	switch path(f) {
	case "os":
		return f.Name() != "Exit"
	case "runtime":
		return f.Name() != "Goexit"
	case "syscall", "golang.org/x/sys/unix":
		return f.Name() != "Exit"
	case "log", "github.com/sirupsen/logrus", "github.com/golang/glog", "k8s.io/klog/v2":
		switch f.Name() {
		case "Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln", "Exit", "Exitf":
			return false
		}
	case "testing":
		switch f.Name() {
		case "Fatal", "Fatalf", "FailNow", "Skip", "Skipf", "SkipNow":
			return false
		}
	}
	if u := c.byFunc[f.Origin()]; u != nil {
		return !c.endless[u]
	}
	return true
}
