package vet

import (
	"fmt"
	"go/types"
	"strings"
)

// checkHandlers reports locks that every request takes: in the handler or in a function of the
// package that it calls.
func (c *checker) checkHandlers(u *unit) {
	kind := c.handlerKind(u)
	if kind == "" || u.test {
		return
	}
	for _, p := range u.flow.points {
		switch {
		case p.kind == locking && p.site >= 0 && p.callee == nil:
			c.report(checkHandler, u, p.pos, p.call.End(),
				fmt.Sprintf("every request to this %s handler pins a thread: "+
					"send the work to a fixed number of locked goroutines", kind))
		case p.kind == calling, p.kind == going:
			if p.callee == nil {
				continue
			}
			if by := c.pins(p.callee, map[*unit]bool{}); by != nil {
				c.report(checkHandler, u, p.pos, p.call.End(),
					fmt.Sprintf("every request to this %s handler pins a thread, in %s: "+
						"send the work to a fixed number of locked goroutines", kind, by.name()),
					related(by.flow.sites[0].pos, "locks here"))
			}
		}
	}
}

// pins returns the function that locks when u is called, or nil if there is none in the package.
func (c *checker) pins(u *unit, seen map[*unit]bool) *unit {
	if seen[u] {
		return nil
	}
	seen[u] = true
	if len(u.flow.sites) > 0 {
		return u
	}
	for _, p := range u.flow.points {
		if (p.kind == calling || p.kind == going) && p.callee != nil {
			if by := c.pins(p.callee, seen); by != nil {
				return by
			}
		}
	}
	return nil
}

// handlerKind returns "HTTP" or "gRPC" for functions that serve requests, else "".
func (c *checker) handlerKind(u *unit) string {
	switch {
	case c.isHTTP(u):
		return "HTTP"
	case c.isGRPC(u):
		return "gRPC"
	}
	return ""
}

// isHTTP decides by the parameters, which are the same for functions, methods and literals.
func (c *checker) isHTTP(u *unit) bool {
	var params []types.Type
	for _, field := range u.typ.Params.List {
		for range max(1, len(field.Names)) {
			params = append(params, c.pass.TypesInfo.TypeOf(field.Type))
		}
	}
	return len(params) == 2 && params[0] != nil && params[1] != nil && u.typ.Results.NumFields() == 0 &&
		params[0].String() == "net/http.ResponseWriter" && params[1].String() == "*net/http.Request"
}

// isGRPC decides by the interface that protoc-gen-go-grpc generates for a service. Its name ends in
// Server, and its package imports grpc.
func (c *checker) isGRPC(u *unit) bool {
	if u.isLiteral() || u.decl.Recv == nil || !u.obj.Exported() {
		return false
	}
	receiver := receiverName(u.obj)
	if receiver == nil {
		return false
	}
	for _, pkg := range append(c.pass.Pkg.Imports(), c.pass.Pkg) {
		if !importsGRPC(pkg) {
			continue
		}
		for _, name := range pkg.Scope().Names() {
			if !strings.HasSuffix(name, "Server") || strings.HasPrefix(name, "Unsafe") {
				continue
			}
			iface, ok := pkg.Scope().Lookup(name).Type().Underlying().(*types.Interface)
			if ok && hasMethod(iface, u.obj.Name()) && types.Implements(types.NewPointer(receiver.Type()), iface) {
				return true
			}
		}
	}
	return false
}

func importsGRPC(pkg *types.Package) bool {
	for _, imported := range pkg.Imports() {
		if imported.Path() == "google.golang.org/grpc" {
			return true
		}
	}
	return false
}

func hasMethod(iface *types.Interface, name string) bool {
	for i := range iface.NumMethods() {
		if iface.Method(i).Name() == name {
			return true
		}
	}
	return false
}
