//go:build go1.18
// +build go1.18

package main

type pair[K comparable, V any] struct {
	key   K
	value V
}

func (p *pair[K, V]) do(f func(K, V)) { f(p.key, p.value) }

func each[K comparable, V any](m map[K]V, f func(K, V)) {
	for k, v := range m {
		(&pair[K, V]{k, v}).do(func(k K, v V) { f(k, v) })
	}
}

func init() {
	generic = func() {
		each(map[string]int{"a": 1}, func(string, int) { one() })
		each(map[struct{ a, b int }]*tree{{}: nil}, func(struct{ a, b int }, *tree) { two() })
	}
}
