package verify

func others() []experiment {
	return []experiment{{"inherit", inherit}, {"pins", held}, {"internal", internal}, {"quota", quota}, {"quota_now", quotaNow}}
}
