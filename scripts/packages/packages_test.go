package packages

import (
	"slices"
	"testing"
)

func TestList(t *testing.T) {
	list, err := List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []Package{
		{Path: Module + "/loader", Loader: true, LoadsBPF: true, Kernel: true, Concurrent: true},
		{Path: Module + "/internal/threadlist", Loader: true},
		{Path: Module + "/internal/cases", Kernel: true},
		{Path: Module + "/internal/testenv", Kernel: true, Concurrent: true},
		{Path: Module + "/correlate/stats"},
	} {
		if !slices.Contains(list, want) {
			t.Errorf("no %+v in %+v", want, list)
		}
	}
}
