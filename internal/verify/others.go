package verify

func others() []experiment { return []experiment{{"inherit", inherit}} }
