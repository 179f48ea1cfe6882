package vet

import (
	"go/ast"
	"go/token"
	"go/types"
)

// unit is one function body, of a declaration or of a literal.
type unit struct {
	body   *ast.BlockStmt
	typ    *ast.FuncType
	decl   *ast.FuncDecl // the declaration that it is or that contains it; nil for a literal outside any
	obj    *types.Func   // nil for a literal
	parent *unit         // of a literal: the enclosing function, or nil
	entry  entry         // how control enters it
	use    ast.Node      // of a literal: the go or defer statement or the call that enters it
	file   *file
	test   bool  // it is in a test file, or has a parameter of package testing
	uses   []use // its calls in the package
	flow   flow
}

type entry int

const (
	declared entry = iota // by calls, in the package or outside
	started               // as a goroutine's function
	deferred              // by the defer statement of its parent
	inline                // in place: func() { … }()
	named                 // by calls of the local variable that holds it, all of them in the package
	handed                // by an unknown caller that received it
)

// use is a call, or a go statement, of a unit.
type use struct {
	by       *unit
	call     *ast.CallExpr
	asGo     bool
	deferred bool
}

// isLiteral reports whether the unit is a function literal.
func (u *unit) isLiteral() bool { return u.obj == nil }

// name returns the name of the function in messages.
func (u *unit) name() string {
	switch {
	case u.isLiteral() && u.decl != nil:
		return "a function literal in " + u.decl.Name.Name
	case u.isLiteral():
		return "a function literal"
	}
	return u.obj.Name()
}

// pos returns the place of messages about the unit as a whole.
func (u *unit) pos() token.Pos {
	if u.isLiteral() {
		return u.typ.Pos()
	}
	return u.decl.Name.Pos()
}

// inMain reports whether the unit is one of the functions of the main goroutine that may lock for
// good (E-2, E-3): main, init, TestMain.
func (u *unit) inMain() bool { return u.isMain() || u.isInit() || u.isFunc("TestMain") }

func (u *unit) isMain() bool { return u.isFunc("main") && u.obj.Pkg().Name() == "main" }
func (u *unit) isInit() bool { return u.isFunc("init") }

func (u *unit) isFunc(name string) bool {
	return !u.isLiteral() && u.decl.Recv == nil && u.decl.Name.Name == name
}

// isExported reports whether other packages can call the unit by its name.
func (u *unit) isExported() bool {
	if u.isLiteral() || !u.obj.Exported() || u.obj.Pkg().Name() == "main" {
		return false
	}
	receiver := receiverName(u.obj)
	return receiver == nil || receiver.Exported()
}

// receiverName returns the named type of a method, or nil for functions.
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

// collect finds the units of a package and the functions that its variables hold.
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
			case *ast.CallExpr:
				if _, ok := c.readings[n]; !ok {
					c.noteReading(n, nil)
				}
			case *ast.AssignStmt:
				if call, ok := ast.Unparen(n.Rhs[0]).(*ast.CallExpr); ok && len(n.Rhs) == 1 {
					c.noteReading(call, n.Lhs)
				}
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

// takesTest reports whether a parameter has a type of package testing.
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

// literal records a function literal and how it is entered. path holds the nodes from the file down
// to its parent.
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
			u.refineEntry(path[i-1])
		}
	case ok && startsArgument(c.pass.TypesInfo, call):
		u.entry, u.use = started, call
	case ok && c.isCleanup(call):
		u.entry, u.use = deferred, call
	}
	return u
}

// refineEntry corrects the entry of an inline literal whose call belongs to a go or defer
// statement.
func (u *unit) refineEntry(n ast.Node) {
	switch n := n.(type) {
	case *ast.GoStmt:
		u.entry, u.use = started, n
	case *ast.DeferStmt:
		u.entry, u.use = deferred, n
	}
}

func isParen(n ast.Node) bool { _, ok := n.(*ast.ParenExpr); return ok }

// assignments records the functions that variables hold. A variable that is assigned more than one
// function counts as unknown.
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

// link finds the calls of each unit, and the literals that are only called by the variable that
// holds them.
func (c *checker) link() {
	callees := map[*ast.Ident]bool{} // names in the place of a called function
	for _, u := range c.units {
		c.inspectBody(u.body, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if id := calledName(call); id != nil {
				callees[id] = true
			}
			callee := c.calleeUnit(call)
			if callee != nil && !(callee.isLiteral() && callee.entry != named && callee.entry != handed) {
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

// calledName returns the last name of a called function: f, or m in x.m.
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

// inspectBody is ast.Inspect without the function literals inside, which are separate units.
func (c *checker) inspectBody(n ast.Node, visit func(ast.Node) bool) {
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
