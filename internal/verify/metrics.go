package verify

func metrics() []experiment { return nil }
