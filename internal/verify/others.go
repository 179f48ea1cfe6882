package verify

// others are the experiments with what surrounds the runtime: the kernel, C.
func others() []experiment {
	return []experiment{{"inherit", inherit}, {"pins", held}, {"internal", internal}, {"quota", quota}, {"quota_now", quotaNow}, {"cgo", cgo}, {"callback", callback}}
}
