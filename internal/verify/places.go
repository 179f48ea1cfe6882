package verify

import (
	"context"
	"strings"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/gosource"
	"github.com/pinwatch/pinwatch/internal/toolchain"
)

// Place is a place of a citation in the source of one release.
type Place struct {
	contract.Place
	Function string
	Line     int // 0 = the release has no such place
}

// LocalSource opens the source of the lab's release where this machine has it. nil = it does not.
func LocalSource(ctx context.Context, o Options, goVersion string) *gosource.Tree {
	goroot := o.Goroot
	if goroot == "" {
		var err error
		if goroot, err = toolchain.Here(ctx, strings.TrimPrefix(goVersion, "go")); err != nil {
			return nil
		}
	}
	tree, err := gosource.Open(goroot)
	if err != nil {
		return nil
	}
	return tree
}

// Places finds the places of a citation that are of a release. tree is its source; nil = it is not
// here.
func Places(c contract.Citation, goVersion string, tree *gosource.Tree) (places []Place, err error) {
	minor, known := contract.Minor(goVersion)
	for _, p := range c.Source {
		if known && !p.In(minor) {
			continue
		}
		at := Place{Place: p, Function: p.Functions[0]}
		if tree != nil {
			if err := at.find(tree); err != nil {
				return nil, err
			}
		}
		places = append(places, at)
	}
	return places, nil
}

func (p *Place) find(tree *gosource.Tree) error {
	for _, name := range p.Functions {
		f, ok, err := tree.Find(p.File, name)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		p.Function = name
		line := f.Line
		if p.Code != "" {
			line = f.LineOf(p.Code)
		}
		switch {
		case p.Without && line == 0:
			p.Line = f.Line
		case !p.Without:
			p.Line = line
		}
		return nil
	}
	return nil
}
