package verify

func costs() []experiment { return nil }
