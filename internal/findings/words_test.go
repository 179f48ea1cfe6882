package findings

import "testing"

func TestWords(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{goroutineOf("a/b.(*T[c/d]).run.func1"), "b.(*T[c/d]).run.func1"}, {function("a/b.f"), "b.f"},
		{goroutineOf("runtime.main"), "the main goroutine"}, {function("runtime.main"), "main.main or an init function"},
		{goroutineOf("a/b.f.gowrap12"), "a goroutine that b.f starts"}, {function("a/b.f·dwrap·3"), "the goroutine that b.f starts"},
		{goroutineOf(""), "a goroutine whose function is not known"}, {function(""), "the goroutine's function"},
		{duration(0), "0 ns"}, {duration(999), "999 ns"}, {duration(1_500), "1.5 µs"}, {duration(2.5e6), "2.5 ms"}, {duration(3600e9), "3600 s"},
		{percent(0.123456), "12.3 %"}, {plural(1, "thread"), "1 thread"}, {plural(2, "thread"), "2 threads"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}
