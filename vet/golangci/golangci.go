// Package golangci makes vet.Analyzer a linter for the module plugin system of golangci-lint. A
// .custom-gcl.yml builds it in:
//
//	version: v2.15.0
//	plugins:
//	  - module: github.com/pinwatch/pinwatch
//	    import: github.com/pinwatch/pinwatch/vet/golangci
//	    path: /path/to/a/clone/of/pinwatch
//
// and a .golangci.yml enables it:
//
//	linters:
//	  enable: [pinwatch]
//	  settings:
//	    custom:
//	      pinwatch:
//	        type: module
//	        description: how runtime.LockOSThread is used
//	        settings: {skip: [comment]}
package golangci

import (
	"strings"

	"github.com/golangci/plugin-module-register/register"
	"golang.org/x/tools/go/analysis"

	"github.com/pinwatch/pinwatch/vet"
)

// Name is the name of the linter.
const Name = "pinwatch"

// The plugin system requires init: it imports the package and reads the registry.
func init() { register.Plugin(Name, New) }

type settings struct {
	Skip []string `json:"skip"` // checks to skip
}

type plugin struct{ analyzer *analysis.Analyzer }

// New returns the linter with the settings from .golangci.yml.
func New(raw any) (register.LinterPlugin, error) {
	s, err := register.DecodeSettings[settings](raw)
	if err != nil {
		return nil, err
	}
	a := vet.New()
	if len(s.Skip) > 0 {
		if err := a.Flags.Set("skip", strings.Join(s.Skip, ",")); err != nil {
			return nil, err
		}
	}
	return plugin{a}, nil
}

func (p plugin) BuildAnalyzers() ([]*analysis.Analyzer, error) {
	return []*analysis.Analyzer{p.analyzer}, nil
}

func (plugin) GetLoadMode() string { return register.LoadModeTypesInfo }
