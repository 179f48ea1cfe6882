package library

func ineffective(n int) int {
	x := 1 // want `ineffectual assignment to x`
	x = n
	return x
}
