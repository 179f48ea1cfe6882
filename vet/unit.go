package vet

import (
	"go/ast"
	"go/token"
	"go/types"
)

// unit is one function body: of a declaration, or of a literal.
type unit struct {
	body   *ast.BlockStmt
	typ    *ast.FuncType
	decl   *ast.FuncDecl // the declaration it is or lies in; nil for a literal outside any
	obj    *types.Func   // nil for a literal
	parent *unit         // of a literal: the function around it, if there is one
	entry  entry         // how control comes in
	use    ast.Node      // of a literal: the go or defer statement or call that does so
	file   *file
	test   bool  // it is in a test file, or is given what a test is given: a helper
	uses   []use // calls of it that are seen in the package
	flow   flow
}

type entry int

const (
	declared entry = iota // by calls, seen or unseen
	started               // as a goroutine's function
	deferred              // by the defer statement of its parent
	inline                // where it stands: func() { … }()
	named                 // by calls of the local variable that holds it, all of them seen
	handed                // by whoever got it
)

// use is a call, or a go statement, of a unit.
type use struct {
	by       *unit
	call     *ast.CallExpr
	asGo     bool
	deferred bool
}

// isLiteral tells a function literal from a declaration.
func (u *unit) isLiteral() bool { return u.obj == nil }

// name is how a message calls the function.
func (u *unit) name() string {
	switch {
	case u.isLiteral() && u.decl != nil:
		return "a function literal in " + u.decl.Name.Name
	case u.isLiteral():
		return "a function literal"
	}
	return u.obj.Name()
}

// pos is where messages about the unit as a whole point to.
func (u *unit) pos() token.Pos {
	if u.isLiteral() {
		return u.typ.Pos()
	}
	return u.decl.Name.Pos()
}

// inMain says whether the unit is run by the main goroutine as one of the functions that the specification lets lock for good
// (E-2, E-3): main, init, TestMain.
func (u *unit) inMain() bool { return u.isMain() || u.isInit() || u.isFunc("TestMain") }

func (u *unit) isMain() bool { return u.isFunc("main") && u.obj.Pkg().Name() == "main" }
func (u *unit) isInit() bool { return u.isFunc("init") }

func (u *unit) isFunc(name string) bool {
	return !u.isLiteral() && u.decl.Recv == nil && u.decl.Name.Name == name
}

// isExported says whether other packages can call it by its name.
func (u *unit) isExported() bool {
	if u.isLiteral() || !u.obj.Exported() || u.obj.Pkg().Name() == "main" {
		return false
	}
	receiver := receiverName(u.obj)
	return receiver == nil || receiver.Exported()
}

// receiverName is the named type that a method belongs to; nil for functions.
func receiverName(f *types.Func) *types.TypeName {
	recv := f.Signature().Recv()
	if recv == nil {
		return nil
	}
	t := recv.Type()
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	if n, ok := t.(*types.Named); ok {
		return n.Obj()
	}
	return nil
}

// collect finds the units of a package, and what its function variables hold.
func (c *checker) collect() {
	for _, f := range c.files {
		var stack []*unit
		var path []ast.Node
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if n == nil {
				last := path[len(path)-1]
				path = path[:len(path)-1]
				if isFunction(last) {
					stack = stack[:len(stack)-1]
				}
				return false
			}
			switch n := n.(type) {
			case *ast.FuncDecl:
				stack = append(stack, c.declaration(f, n))
			case *ast.FuncLit:
				var parent *unit
				if len(stack) > 0 {
					parent = stack[len(stack)-1]
				}
				stack = append(stack, c.literal(f, n, parent, path))
			case *ast.RangeStmt:
				if t := c.pass.TypesInfo.TypeOf(n.X); t != nil {
					_, channel := t.Underlying().(*types.Chan)
					c.rangesOver[n.X] = channel
				}
			case *ast.AssignStmt:
				c.assignments(n.Lhs, n.Rhs)
			case *ast.ValueSpec:
				lhs := make([]ast.Expr, len(n.Names))
				for i, name := range n.Names {
					lhs[i] = name
				}
				c.assignments(lhs, n.Values)
			}
			path = append(path, n)
			return true
		})
	}
}

func isFunction(n ast.Node) bool {
	switch n.(type) {
	case *ast.FuncDecl, *ast.FuncLit:
		return true
	}
	return false
}

func (c *checker) declaration(f *file, d *ast.FuncDecl) *unit {
	u := &unit{body: d.Body, typ: d.Type, decl: d, file: f, test: f.test || c.takesTest(d.Type)}
	u.obj, _ = c.pass.TypesInfo.Defs[d.Name].(*types.Func)
	if u.obj == nil || d.Body == nil { // broken code, or a body in assembly
		return u
	}
	c.units = append(c.units, u)
	c.byFunc[u.obj] = u
	return u
}

// takesTest says whether a parameter is of a type of package testing.
func (c *checker) takesTest(t *ast.FuncType) bool {
	for _, field := range t.Params.List {
		p := c.pass.TypesInfo.TypeOf(field.Type)
		if pointer, ok := p.(*types.Pointer); ok {
			p = pointer.Elem()
		}
		if n, ok := p.(*types.Named); ok && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == "testing" {
			return true
		}
	}
	return false
}

// literal files a function literal under the way it is entered, which path, from the file down to its parent node, tells.
func (c *checker) literal(f *file, lit *ast.FuncLit, parent *unit, path []ast.Node) *unit {
	u := &unit{body: lit.Body, typ: lit.Type, parent: parent, file: f, entry: handed, test: f.test}
	if parent != nil {
		u.decl, u.test = parent.decl, parent.test
	}
	c.units = append(c.units, u)
	c.byLit[lit] = u
	i := len(path) - 1
	for i >= 0 && isParen(path[i]) {
		i--
	}
	call, ok := path[i].(*ast.CallExpr)
	switch {
	case ok && ast.Unparen(call.Fun) == lit:
		u.entry, u.use = inline, call
		if i > 0 {
			u.enteredBy(path[i-1])
		}
	case ok && startsArgument(c.pass.TypesInfo, call):
		u.entry, u.use = started, call
	case ok && c.isCleanup(call):
		u.entry, u.use = deferred, call
	}
	return u
}

// enteredBy corrects an inline literal's entry where its call belongs to a go or defer statement.
func (u *unit) enteredBy(n ast.Node) {
	switch n := n.(type) {
	case *ast.GoStmt:
		u.entry, u.use = started, n
	case *ast.DeferStmt:
		u.entry, u.use = deferred, n
	}
}

func isParen(n ast.Node) bool { _, ok := n.(*ast.ParenExpr); return ok }

// assignments notes what a variable of function type holds. A variable that is given more than one function holds none
// that is known.
func (c *checker) assignments(lhs, rhs []ast.Expr) {
	if len(lhs) != len(rhs) {
		return
	}
	for i, l := range lhs {
		id, ok := ast.Unparen(l).(*ast.Ident)
		if !ok {
			continue
		}
		c.assigned[id] = true
		v, _ := c.pass.TypesInfo.ObjectOf(id).(*types.Var)
		if v == nil {
			continue
		}
		if _, ok := v.Type().Underlying().(*types.Signature); !ok {
			continue
		}
		if tv, ok := c.pass.TypesInfo.Types[rhs[i]]; ok && tv.IsNil() {
			continue
		}
		if _, again := c.held[v]; again {
			c.held[v] = nil
			continue
		}
		c.held[v] = ast.Unparen(rhs[i])
	}
}

// link finds the calls of each unit, and which units are used in other ways than by being called.
func (c *checker) link() {
	callees := map[*ast.Ident]bool{} // names that stand where a function is called
	for _, u := range c.units {
		c.inspectOwn(u.body, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if id := calledName(call); id != nil {
				callees[id] = true
			}
			if callee := c.calleeUnit(call); callee != nil && !(callee.isLiteral() && callee.entry != named && callee.entry != handed) {
				asGo, isDefer := c.goCalls[call], c.deferCalls[call]
				callee.uses = append(callee.uses, use{by: u, call: call, asGo: asGo, deferred: isDefer})
			}
			return true
		})
	}
	holders := map[*ast.FuncLit]*types.Var{}
	for v, e := range c.held {
		if lit, ok := e.(*ast.FuncLit); ok {
			holders[lit] = v
		}
	}
	escaped := map[types.Object]bool{}
	for id, obj := range c.pass.TypesInfo.Uses {
		if !callees[id] && !c.assigned[id] {
			escaped[obj] = true
		}
	}
	for lit, v := range holders {
		if u := c.byLit[lit]; u != nil && !escaped[v] && v.Parent() != c.pass.Pkg.Scope() && !v.IsField() {
			u.entry = named
		}
	}
}

// calledName is the last name of what a call calls: f, or m in x.m.
func calledName(call *ast.CallExpr) *ast.Ident {
	switch fun := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		return fun
	case *ast.SelectorExpr:
		return fun.Sel
	case *ast.IndexExpr:
		if id, ok := fun.X.(*ast.Ident); ok {
			return id
		}
	}
	return nil
}

// inspectOwn is ast.Inspect without the function literals inside, which are units of their own.
func (c *checker) inspectOwn(n ast.Node, visit func(ast.Node) bool) {
	ast.Inspect(n, func(m ast.Node) bool {
		if m == nil {
			return false
		}
		if _, ok := m.(*ast.FuncLit); ok && m != n {
			return false
		}
		switch m := m.(type) {
		case *ast.GoStmt:
			c.goCalls[m.Call] = true
		case *ast.DeferStmt:
			c.deferCalls[m.Call] = true
		}
		return visit(m)
	})
}
