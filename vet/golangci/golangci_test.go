package golangci_test

import (
	"strings"
	"testing"

	"github.com/golangci/plugin-module-register/register"

	"github.com/pinwatch/pinwatch/vet/golangci"
)

// TestPlugin: golangci-lint finds the plugin by its name and passes settings decoded from YAML.
func TestPlugin(t *testing.T) {
	make, err := register.GetPlugin(golangci.Name)
	if err != nil {
		t.Fatal(err)
	}
	p, err := make(map[string]any{"skip": []any{"comment", "defer"}})
	if err != nil {
		t.Fatal(err)
	}
	analyzers, err := p.BuildAnalyzers()
	if err != nil || len(analyzers) != 1 {
		t.Fatalf("%d analyzers, %v", len(analyzers), err)
	}
	if got := analyzers[0].Flags.Lookup("skip").Value.String(); got != "comment,defer" {
		t.Errorf("skips %q", got)
	}
	if p.GetLoadMode() != register.LoadModeTypesInfo {
		t.Errorf("load mode %q: the analyzer needs types", p.GetLoadMode())
	}
}

func TestSettings(t *testing.T) {
	if _, err := golangci.New(nil); err != nil {
		t.Errorf("no settings: %v", err)
	}
	_, err := golangci.New(map[string]any{"skip": []any{"nothing"}})
	if err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("a check that does not exist: %v", err)
	}
	if _, err := golangci.New(map[string]any{"skips": []any{"comment"}}); err == nil {
		t.Error("a misspelt setting is accepted")
	}
}
